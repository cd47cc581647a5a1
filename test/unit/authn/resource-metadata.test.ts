import { expect, it } from "vitest";
import { challengeFor, resourceMetadata, resourceMetadataPath, resourceMetadataUrl } from "#authn";
import { route } from "./token-fixture.ts";

it("describes the endpoint (RFC 9728)", () => {
  expect(resourceMetadata(route)).toEqual({
    resource: "https://gw.example/sql-prod/mcp",
    authorization_servers: ["https://idp.example", "https://acme.example"],
    bearer_methods_supported: ["header"],
  });
});

it("stands at the well-known prefix before the endpoint's path", () => {
  expect(resourceMetadataPath("/sql-prod/mcp")).toBe("/.well-known/oauth-protected-resource/sql-prod/mcp");
  expect(resourceMetadataPath("/")).toBe("/.well-known/oauth-protected-resource");
  expect(resourceMetadataUrl({ resource: "https://gw.example/team/mcp" })).toBe(
    "https://gw.example/.well-known/oauth-protected-resource/team/mcp",
  );
});

it("challenges without an error where no token was sent, and without a reason where one was refused", () => {
  const metadata =
    'Bearer resource_metadata="https://gw.example/.well-known/oauth-protected-resource/sql-prod/mcp"';
  expect(challengeFor(route, "AUTHN_TOKEN_MISSING")).toBe(metadata);
  expect(challengeFor(route, "AUTHN_TOKEN_EXPIRED")).toBe(`${metadata}, error="invalid_token"`);
  expect(challengeFor(route, "AUTHN_TOKEN_MISSING", ["mcp:read", 'a"b\r\nx'])).toBe(
    `${metadata}, scope="mcp:read a\\"bx"`,
  );
});
