/*
 * tests/analysis/cppcheck.h - included by cppcheck alone, which does not read the libraries' headers: their macros,
 * as far as it needs them to parse ours
 */
#define json_array_foreach(array, i, value)                                                        \
	for (i = 0; i < json_array_size(array) && (value = json_array_get(array, i)); i++)
#define json_object_foreach(object, key, value)                                                    \
	for (key = json_object_iter_key(json_object_iter(object));                                 \
	     key && (value = json_object_get(object, key));                                        \
	     key = json_object_iter_key(json_object_key_to_iter(key)))
#define PRIu64 "lu"
#define PRId64 "ld"
#define PRIx64 "lx"
#define PRIu32 "u"
#define PRIx32 "x"
#define PROTOBUF_C_VERSION_NUMBER 1004001
#define PROTOBUF_C_MIN_COMPILER_VERSION 1000000
#define PROTOBUF_C__BEGIN_DECLS
#define PROTOBUF_C__END_DECLS
/* of tests/fuzz/fuzz.h: it does not come back */
#define fuzz_broken abort
