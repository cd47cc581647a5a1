// Door #transform: what is removed from requests and results before they leave the gateway.
export { parseJsonText } from "./json-text.ts";
