// Operators and types of pg_catalog that only compute. Any other may be the database's own: behind an operator, a cast
// to a domain, or a literal of one stands a function that can write. A test compares the lists with a real PostgreSQL.

const operators = `!! !~ !~* !~~ !~~* # ## #- #> #>> % & && &< &<| &> * *< *<= *<> *= *> *>= + - -> ->> -|- / < <-> <<
  <<= <<| <= <> <@ <^ = > >= >> >>= >^ ? ?# ?& ?- ?-| ?| ?|| @ @-@ @> @? @@ @@@ ^ ^@ | |&> |/ |>> || ||/ ~ ~* ~<=~
  ~<~ ~= ~>=~ ~>~ ~~ ~~*`;

/** Names the parser writes for `BETWEEN` in its forms. */
const betweens = ["BETWEEN", "NOT BETWEEN", "BETWEEN SYMMETRIC", "NOT BETWEEN SYMMETRIC"];

const types = `bit bool bpchar bytea char cid cidr circle date datemultirange daterange float4 float8 inet int2 int4
  int4multirange int4range int8 int8multirange int8range interval json jsonb jsonpath line lseg box macaddr macaddr8
  money name numeric nummultirange numrange oid path pg_lsn pg_snapshot point polygon record refcursor regclass
  regcollation regconfig regdictionary regnamespace regoper regoperator regproc regprocedure regrole regtype text tid
  time timestamp timestamptz timetz tsmultirange tsquery tsrange tstzmultirange tstzrange tsvector txid_snapshot uuid
  varbit varchar xid xid8 xml`;

/** Operators, as the parser writes them, unqualified or in `pg_catalog`. */
export const PURE_SQL_OPERATORS: ReadonlySet<string> = new Set([...operators.split(/\s+/), ...betweens]);

/** Types, as the parser writes them (`int` is `int4`), unqualified or in `pg_catalog`. */
export const PURE_SQL_TYPES: ReadonlySet<string> = new Set(types.split(/\s+/));
