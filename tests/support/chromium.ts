/** @file The browser that tests of the page use, where there is one: Debian's package "chromium". */

/** Where Debian puts it. */
export const CHROMIUM = "/usr/bin/chromium";
