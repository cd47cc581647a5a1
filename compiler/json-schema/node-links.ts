// The keywords by which a schema node of a program refers to others, besides `properties` and `patternProperties`.

/** Keywords that name one node. */
export const SINGLE_LINKS = [
  "additionalProperties",
  "propertyNames",
  "items",
  "contains",
  "not",
  "if",
  "then",
  "else",
] as const;

/** Keywords that name several. */
export const LIST_LINKS = ["prefixItems", "allOf", "anyOf", "oneOf"] as const;
