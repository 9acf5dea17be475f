/** @file What a report's page looks like, as one text. */
import base from "./base.css" with { type: "text" };
import own from "./style.css" with { type: "text" };

/** The style of a report and of an adapter's page: what the site shares comes first. */
export const style = `${base}\n${own}`;
