/** @file What a browser lacks for training, and what its user can do about it. */

/** What a page found out about its browser. */
export interface Offers {
  /** The browser's name and version, e.g. "Firefox 153.0". */
  readonly browser: string;
  /** True for a page over HTTPS, or from the same machine. */
  readonly isSecure: boolean;
  /** True where there is WebGPU, with or without an adapter. */
  readonly hasWebGpu: boolean;
  /** True where an adapter answered. */
  readonly hasAdapter: boolean;
  /** True where the page may keep files. */
  readonly hasFiles: boolean;
}

/** One sentence: what is lacking, and what to do; null where nothing is. */
export function lackOf({ browser, isSecure, hasWebGpu, hasAdapter, hasFiles }: Offers): string | null {
  const isFirefox = browser.startsWith("Firefox ");
  if (!isSecure) {
    return "This page came over plain HTTP, where browsers offer no WebGPU: open it by an address that begins with https://, " +
      "or with http://localhost where it lies on this machine.";
  }
  if (!hasWebGpu) {
    return isFirefox
      ? `${browser} has WebGPU switched off on this system: set dom.webgpu.enabled to true in about:config and reload this ` +
        "page, or open it in Chrome or Edge."
      : `${browser} offers no WebGPU: open this page in a recent Chrome, Edge, Firefox or Safari.`;
  }
  if (!hasAdapter) {
    return isFirefox
      ? `${browser} has WebGPU, but takes no GPU of this device: update the graphics driver, or set ` +
        "gfx.webgpu.ignore-blocklist to true in about:config and reload this page."
      : `${browser} has WebGPU, but takes no GPU of this device: update the browser and the graphics driver, or open this ` +
        "page on another device.";
  }
  if (!hasFiles) {
    return `${browser} gives this page no private files, in which results are kept: open it in a window that is not private, ` +
      "or in another browser.";
  }
  return null;
}
