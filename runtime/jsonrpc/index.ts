// Door #mcp.
export type { ClientMessage, NotificationMessage, RequestId, RequestMessage, ResponseMessage } from "./message.ts";
