// Functions of pg_catalog that only compute: no overload is volatile, reads a table, a file, a setting or another
// catalogue, or takes SQL text. A test compares the list with the catalogue of a real PostgreSQL.

const aggregates = `any_value array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count covar_pop covar_samp every
  json_agg json_agg_strict json_object_agg json_object_agg_strict json_object_agg_unique jsonb_agg jsonb_agg_strict
  jsonb_object_agg jsonb_object_agg_strict jsonb_object_agg_unique max min mode percentile_cont percentile_disc
  range_agg range_intersect_agg regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy
  regr_syy stddev stddev_pop stddev_samp string_agg sum var_pop var_samp variance`;

const windows = `cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number`;

const numbers = `abs acos acosd acosh asin asind asinh atan atan2 atan2d atand atanh cbrt ceil ceiling cos cosd cosh cot
  cotd degrees div erf erfc exp factorial floor gamma gcd lcm lgamma ln log log10 min_scale mod numeric pi pow power
  radians round scale sign sin sind sinh sqrt tan tand tanh trim_scale trunc width_bucket float4 float8 int2 int4 int8`;

const texts = `ascii bit_count bit_length btrim casefold char_length character_length chr concat concat_ws crc32 crc32c
  decode encode format get_bit get_byte initcap is_normalized left length like_escape lower lpad ltrim md5 normalize
  octet_length overlay parse_ident position quote_ident quote_literal quote_nullable regexp_count regexp_instr
  regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr
  repeat replace reverse right rpad rtrim set_bit set_byte sha224 sha256 sha384 sha512 similar_escape
  similar_to_escape split_part starts_with string_to_array string_to_table strpos substr substring to_ascii to_bin
  to_char to_hex to_number to_oct translate unicode_assigned unistr upper bpchar text varchar`;

const times = `age date date_add date_bin date_part date_subtract date_trunc extract isfinite justify_days justify_hours
  justify_interval make_date make_interval make_time make_timestamp make_timestamptz now overlaps
  statement_timestamp timezone to_date to_timestamp transaction_timestamp uuid_extract_timestamp
  uuid_extract_version`;

const arrays = `array_append array_cat array_dims array_fill array_length array_lower array_ndims array_position
  array_positions array_prepend array_remove array_replace array_reverse array_sort array_to_json array_to_string
  array_upper cardinality generate_series generate_subscripts num_nonnulls num_nulls trim_array unnest`;

const ranges = `daterange datemultirange int4multirange int4range int8multirange int8range isempty lower_inc lower_inf
  multirange nummultirange numrange range_merge tsmultirange tsrange tstzmultirange tstzrange upper_inc upper_inf`;

const documents = `json_array_elements json_array_elements_text json_array_length json_build_array json_build_object
  json_each json_each_text json_extract_path json_extract_path_text json_object json_object_keys
  json_strip_nulls json_to_record json_to_recordset json_typeof jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text
  jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_keys jsonb_path_exists
  jsonb_path_match jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_pretty
  jsonb_set jsonb_set_lax jsonb_strip_nulls jsonb_to_record
  jsonb_to_recordset jsonb_typeof row_to_json to_json to_jsonb pg_typeof`;

const searches = `numnode phraseto_tsquery plainto_tsquery querytree setweight strip to_tsquery to_tsvector ts_delete
  ts_filter ts_headline ts_rank ts_rank_cd tsvector_to_array websearch_to_tsquery`;

const networks = `abbrev broadcast family host hostmask inet_merge inet_same_family masklen netmask network
  set_masklen`;

const geometry = `area box center circle diameter height isclosed isopen line lseg npoints path pclose point polygon
  popen radius slope width`;

/** Unqualified names; `pg_catalog.` before one of them is accepted too. */
export const PURE_SQL_FUNCTIONS: ReadonlySet<string> = new Set(
  [aggregates, windows, numbers, texts, times, arrays, ranges, documents, searches, networks, geometry]
    .join(" ")
    .split(/\s+/),
);

/** Methods of TABLESAMPLE that only read. */
export const PURE_SAMPLE_METHODS: ReadonlySet<string> = new Set(["bernoulli", "system"]);
