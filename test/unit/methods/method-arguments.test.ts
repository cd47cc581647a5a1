// What policies see of method parameters; what does not have the protocol's types is refused, never read as empty.
import { describe, expect, it } from "vitest";
import type { JsonObject } from "#std";
import { completionArguments, elicitationArguments, rootArguments, samplingArguments } from "#methods";

describe("sampling", () => {
  it("shows what is asked for, not what is said", () => {
    const params = {
      maxTokens: 10,
      messages: [
        { role: "user", content: { type: "text", text: "secret" } },
        { role: "user", content: [{ type: "image" }, { type: "tool_result" }] },
      ],
      systemPrompt: "secret",
      modelPreferences: { hints: [{ name: "b" }, { name: "a" }, {}] },
      tools: [{ name: "t" }],
      toolChoice: { mode: "required" },
      includeContext: "thisServer",
    };
    expect(samplingArguments(params)).toEqual({
      maxTokens: 10,
      modelHints: ["", "a", "b"],
      modelHintLines: "\na\nb",
      tools: ["t"],
      toolChoice: "required",
      includeContext: "thisServer",
      messageCount: 2,
      contentTypes: ["image", "text", "tool_result"],
      hasSystemPrompt: true,
    });
  });

  it.each<[string, JsonObject]>([
    ["tools that are no list", { tools: "shell" }],
    ["a tool without a name of its own type", { tools: [{ name: 1 }] }],
    ["hints that are no objects", { modelPreferences: { hints: ["claude"] } }],
    ["preferences that are no object", { modelPreferences: [] }],
    ["a context that is no text", { includeContext: 1 }],
    ["messages that are no list", { messages: {} }],
  ])("refuses %s", (_about, params) => {
    expect(() => samplingArguments(params)).toThrow("does not have the type of the protocol");
  });
});

describe("elicitation", () => {
  it("is a form where it does not say otherwise", () => {
    expect(elicitationArguments({ message: "x", requestedSchema: { properties: { B: {}, a: {} } } })).toEqual(
      {
        mode: "form",
        fields: ["B", "a"],
        fieldLines: "b\na",
        url: "",
        urlScheme: "",
        urlHost: "",
      },
    );
  });

  it.each([
    ["https://Login.Example.com/x", "https", "login.example.com"],
    ["https://login.example.com@evil.test/", "", ""],
    ["https://evil.test\\@login.example.com/", "", ""],
    ["https://evil.com;.example.com/", "", ""],
    ["javascript:alert(1)", "", ""],
    ["https://", "", ""],
  ])("%s leads to a host only where every reader agrees", (url, scheme, host) => {
    expect(elicitationArguments({ mode: "url", url })).toMatchObject({ urlScheme: scheme, urlHost: host });
  });

  it("compares names as they look", () => {
    const fields = { Ｃard: {}, PIN: {} };
    expect(elicitationArguments({ requestedSchema: { properties: fields } })).toMatchObject({
      fieldLines: "pin\ncard",
    });
  });

  it.each<[string, JsonObject]>([
    ["a field without a name", { properties: { "": {} } }],
    ["a name of two lines", { properties: { "card\nnumber": {} } }],
    ["an invisible character", { properties: { "pass\u00adword": {} } }],
    ["an endless name", { properties: { ["x".repeat(257)]: {} } }],
    ["fields in another branch", { properties: {}, allOf: [{ properties: { password: {} } }] }],
    ["fields behind a reference", { $ref: "#/$defs/a", $defs: { a: {} } }],
  ])("refuses %s", (_about, requestedSchema) => {
    expect(() => elicitationArguments({ requestedSchema })).toThrow("requestedSchema");
  });
});

describe("roots and completion", () => {
  it("tells canonical roots", () => {
    expect(rootArguments({ uri: "FILE:///a/../b" })).toEqual({
      uri: "FILE:///a/../b",
      scheme: "file",
      isCanonical: false,
    });
  });

  it("refuses a root without a scheme", () => {
    expect(() => rootArguments({ uri: "/etc" })).toThrow("params.uri");
  });

  it("names what is completed", () => {
    expect(
      completionArguments({ ref: { type: "ref/resource", uri: "x:{y}" }, argument: { name: "y" } }),
    ).toEqual({
      refType: "resource",
      ref: "x:{y}",
      argument: "y",
    });
  });
});
