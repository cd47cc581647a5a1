// New statements from known ones: words swapped between statements, pieces spliced, calls and casts put in the place of
// values. Seeded, so that a statement found is found again.
import { seededRandom } from "../../unit/audit/seeded-random.ts";

/** Put in the place of a value: half of them harmless, so that many statements still pass. */
const VALUES = [
  "1",
  "'a'",
  "null",
  "id",
  "lower('A')",
  "abs(-1)",
  "(select 1)",
  "array[1]",
  "now()",
  "1::int",
  "touch()",
  "(1).touch_one",
  "1 =#= 2",
  "1::touchy",
  "nextval('s')",
  "('s'::regclass).nextval",
  '"touch"()',
  'U&"touch"()',
  "x.touch_one",
  "set_config('search_path', 'evil', false)",
];

const TOKEN = /\$\w*\$|'(?:[^']|'')*'|"(?:[^"]|"")*"|\w+|\s+|[^\w\s]/g;
const VALUE = /^(?:\d+|'.*'|null|id|name|total)$/s;

type Random = () => number;

function pick<T>(items: readonly T[], random: Random): T | undefined {
  return items[Math.floor(random() * items.length)];
}

function mutate(seeds: readonly string[], random: Random): string {
  const tokens = (pick(seeds, random) ?? "").match(TOKEN) ?? [];
  const other = (pick(seeds, random) ?? "").match(TOKEN) ?? [];
  const at = Math.floor(random() * tokens.length);
  const from = Math.floor(random() * other.length);
  switch (Math.floor(random() * 7)) {
    case 0:
      return [...tokens.slice(0, at), ...other.slice(from)].join("");
    case 1:
      return tokens.toSpliced(at, 1).join("");
    case 2:
      return tokens.toSpliced(at, 1, other[from] ?? "").join("");
    case 3:
      return `select * from (${tokens.join("").replace(/;\s*$/, "")}) x, (${other.join("")}) y`;
    case 4:
      return `with x as (${tokens.join("").replace(/;\s*$/, "")}) ${other.join("")}`;
    default: {
      const places = tokens.flatMap((token, index) => (VALUE.test(token) ? [index] : []));
      const place = pick(places, random);
      if (place === undefined) return `${tokens.join("")} ${other.join("")}`;
      return tokens.toSpliced(place, 1, pick(VALUES, random) ?? "").join("");
    }
  }
}

/** `count` statements. Each is made from one or two of the seeds shorter than 400 characters. */
export function* mutantsOf(seeds: readonly string[], count: number, seed: number): Generator<string> {
  const random = seededRandom(seed);
  const short = seeds.filter((sql) => sql.length < 400);
  for (let made = 0; made < count; made += 1) {
    let sql = mutate(short, random);
    // A second change in every third.
    if (random() < 0.33) sql = mutate([sql, ...short.slice(0, 1)], random);
    yield sql;
  }
}
