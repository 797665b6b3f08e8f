/* schema.h -- holds a JSON value to a JSON Schema: the words that schemas/ uses (type, enum, const,
 * required, properties, additionalProperties: false, items, minItems, maxItems, minimum,
 * maximum, minLength, anyOf, $ref into $defs).  Another word is a failure, not passed over. */
#ifndef TESTS_SCHEMA_H
#define TESTS_SCHEMA_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* False: `why` says where and what. */
bool test_schema(const json_t *schema, const json_t *value, char *why, size_t room);
#endif
