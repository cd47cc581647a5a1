// The version this build reports.
export const GATEWAY_VERSION = "0.1.0";
