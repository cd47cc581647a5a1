// Whose address a request comes from: proxies are believed only where the configuration names them.
import { describe, expect, it } from "vitest";
import { createClientAddress } from "../../../runtime/listener/client-address.ts";

const TRUSTED = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"];

describe("client address", () => {
  it.each<[about: string, peer: string, forwarded: readonly string[], client: string]>([
    ["a proxy that names nobody", "10.0.0.1", [], ""],
    ["a stranger's header is ignored", "203.0.113.5", ["198.51.100.1"], "203.0.113.5"],
    ["a proxy names its client", "10.0.0.1", ["198.51.100.1"], "198.51.100.1"],
    ["a mapped peer is the same proxy", "::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"],
    [
      "what a client claims before its proxy is ignored",
      "10.0.0.1",
      ["1.1.1.1, 198.51.100.1"],
      "198.51.100.1",
    ],
    [
      "proxies in a row are skipped",
      "10.0.0.1",
      ["1.1.1.1, 198.51.100.1, 10.9.9.9, 192.0.2.7"],
      "198.51.100.1",
    ],
    ["several headers are one list", "10.0.0.1", ["1.1.1.1", "198.51.100.1, 10.9.9.9"], "198.51.100.1"],
    ["all proxies: the farthest", "10.0.0.1", ["10.1.1.1, 10.2.2.2"], "10.1.1.1"],
    ["text that is no address ends the chain", "10.0.0.1", ["198.51.100.1, unknown"], ""],
    ["text before a proxy ends it there", "10.0.0.1", ["unknown, 10.3.3.3"], ""],
    ["IPv6", "2001:db8::1", ["[2001:db8:ffff::2], 2001:dead::1"], "2001:dead::1"],
    ["an empty header", "10.0.0.1", [""], ""],
    ["an empty place in the list", "10.0.0.1", ["198.51.100.1,"], ""],
    ["an address with a port", "10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"],
    ["a proxy with a port", "10.0.0.1", ["198.51.100.1, 10.3.3.3:80"], "198.51.100.1"],
    ["IPv6 with a port", "10.0.0.1", ["[2001:dead::1]:4711"], "2001:dead::1"],
    ["IPv6 in brackets", "10.0.0.1", ["[2001:dead::1]"], "2001:dead::1"],
    ["a mapped client is an IPv4 address", "10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"],
    ["a port out of range", "10.0.0.1", ["198.51.100.1:99999"], ""],
    ["IPv4 in brackets", "10.0.0.1", ["[198.51.100.1]"], ""],
    ["a zone", "10.0.0.1", ["fe80::1%eth0"], ""],
    ["a name", "10.0.0.1", ["client.example"], ""],
    ["more proxies than are looked at", "10.0.0.1", [`1.1.1.1${", 10.0.0.2".repeat(33)}`], ""],
  ])("%s", (_about, peer, forwarded, client) => {
    const headers = forwarded.flatMap((value) => ["X-Forwarded-For", value]);
    expect(createClientAddress(TRUSTED)(peer, headers)).toBe(client);
  });

  it("believes nobody by default", () => {
    expect(createClientAddress([])("10.0.0.1", ["x-forwarded-for", "198.51.100.1"])).toBe("10.0.0.1");
  });
});
