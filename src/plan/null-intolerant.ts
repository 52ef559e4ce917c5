/**
 * Which calls are null as soon as an argument is. Spark's optimizer knows it of a call by a mark (nullIntolerant), which some have not that would deserve it; what a
 * join's condition says of nulls goes by the mark, and what a filter makes of an outer join by trying the call with nulls. Both lists were asked of Spark 4.2.0.
 */
const words = (text: string) => text.split(/\s+/)

/** Calls with the mark. */
export const nullIntolerant: ReadonlySet<string> = new Set(
  words(`== != < <= > >= not like ilike rlike + - * / % div negative abs sign ceil floor sqrt cbrt exp expm1 ln log log2 log10 log1p pow sin cos tan cot sec csc
    asin acos atan atan2 sinh cosh tanh asinh acosh atanh degrees radians rint hypot factorial pmod unhex conv shiftleft shiftright shiftrightunsigned & | ^ ~
    bit_count getbit width_bucket try_add try_divide try_subtract try_multiply upper lower initcap length octet_length bit_length reverse repeat substring
    substring_index lpad rpad replace translate instr ascii char base64 unbase64 split split_part regexp_replace regexp_extract regexp_instr regexp_extract_all
    contains startswith endswith levenshtein soundex format_number overlay find_in_set encode decode space md5 sha1 sha2 crc32 luhn_check url_encode url_decode
    parse_url to_number to_char date_add date_sub datediff months_between last_day next_day year quarter month day dayofweek dayofyear weekday weekofyear hour
    minute second date_format unix_seconds unix_millis unix_micros unix_date date_from_unix_date make_date make_timestamp timestampadd timestampdiff
    from_utc_timestamp to_utc_timestamp convert_timezone make_dt_interval dayname monthname array_contains element_at array_item try_element_at array_position
    array_remove array_distinct array_union array_intersect array_except arrays_overlap array_max array_min sort_array slice map_keys map_values map_entries
    map_from_arrays map_contains_key to_json from_json to_csv json_array_length json_object_keys str_to_map get`),
)

/** Those, and calls that are null as well but have no mark. */
export const nullForNull: ReadonlySet<string> = new Set([
  ...nullIntolerant,
  ...words(`round bround bin hex trim ltrim rtrim btrim right locate regexp_count regexp_substr concat date_trunc trunc to_date to_timestamp unix_timestamp
    from_unixtime timestamp_seconds timestamp_millis timestamp_micros array_join flatten get_json_object sequence array_compact`),
])
