// Nominal types for identifiers. A brand is minted only by the parser of its kind.

declare const brand: unique symbol;

/** A `T` that only its own parser may mint. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };
