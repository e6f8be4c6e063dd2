// SPDX-License-Identifier: BSD-3-Clause
// Walks the table and the nodes together.
#include "reader.h"
#include "suggest.h"

#include <string.h>

#define RULES_MAX 32u
#define LIST_MAX  100000u

static bool map_read(struct reader *r, const struct section *section, const yaml_node_t *node,
	const struct spot *where, void *base);

static const yaml_node_t *node_get(const struct reader *r, int id)
{
	return yaml_document_get_node(r->doc, id);
}

static unsigned node_line(const yaml_node_t *node)
{
	return (unsigned)node->start_mark.line + 1;
}

static const char *node_text(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

// "key:" with nothing behind it.
static bool node_is_null(const yaml_node_t *node)
{
	const char *s = node_text(node);

	if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	return s[0] == '\0' || strcmp(s, "~") == 0 || strcmp(s, "null") == 0;
}

static const char *key_join(struct reader *r, const char *prefix, const char *key)
{
	return reader_textf(r, "%s%s%s", prefix, prefix[0] != '\0' ? "." : "", key);
}

static void initial_set(struct reader *r, const struct rule *rule, void *at)
{
	struct spot none = {.key = rule->key};

	if (rule->initial != NULL)
		reader_value(r, rule, rule->type, &none, rule->initial, at);
}

static bool scalar_read(struct reader *r, const struct rule *rule, enum rule_type type,
	const yaml_node_t *node, const struct spot *where, void *at)
{
	const char *example = rule->example != NULL ? rule->example : rule->initial;

	if (node->type != YAML_SCALAR_NODE) {
		reader_complain(r, where,
			example != NULL ? reader_textf(r, "write it as %s", example)
					: "write one value behind the key",
			"needs a single value, not a %s",
			node->type == YAML_SEQUENCE_NODE ? "list" : "group of keys");
		return false;
	}
	if (node_is_null(node) || node_text(node)[0] == '\0') {
		reader_complain(r, where, "give a value or remove the key", "has no value");
		return false;
	}
	if (strlen(node_text(node)) != node->data.scalar.length) {
		reader_complain(r, where, "remove the NUL character", "holds a NUL character");
		return false;
	}
	if (!reader_value(r, rule, type, where, node_text(node), at))
		return false;
	reader_note_spot(r, where);
	return true;
}

static bool list_items_read(struct reader *r, const struct rule *rule, const yaml_node_t *node,
	const struct spot *where, char *items)
{
	size_t size = rule->section != NULL ? rule->section->size : rule_size(rule->item);
	const yaml_node_item_t *id = node->data.sequence.items.start;
	bool good = true;

	for (size_t i = 0; id + i < node->data.sequence.items.top; i++) {
		const yaml_node_t *item = node_get(r, id[i]);
		struct spot spot = {
			.at = items + i * size,
			.is_struct = rule->section != NULL,
			.key = reader_textf(r, "%s[%zu]", where->key, i),
			.line = node_line(item),
		};

		if (rule->section == NULL)
			good &= scalar_read(r, rule, rule->item, item, &spot, items + i * size);
		else if (map_read(r, rule->section, item, &spot, items + i * size))
			reader_note_spot(r, &spot);
		else
			good = false;
	}
	return good;
}

static bool list_read(struct reader *r, const struct rule *rule, const yaml_node_t *node,
	const struct spot *where, char *base)
{
	size_t size = rule->section != NULL ? rule->section->size : rule_size(rule->item);
	size_t n = 0;
	char *items;

	if (node->type == YAML_SEQUENCE_NODE) {
		n = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
	} else if (!node_is_null(node)) {
		reader_complain(r, where,
			rule->section != NULL || node->type != YAML_SCALAR_NODE
				? "begin each entry with \"- \""
				: reader_textf(
					  r, "write it as [%s]", suggest_show(r, node_text(node))),
			"needs a list");
		return false;
	}
	if (n == 0 && rule->required) {
		reader_complain(r, where, "give at least one entry", "is empty");
		return false;
	}
	if (n > LIST_MAX) {
		reader_complain(r, where, "keep it shorter", "has more than %u entries", LIST_MAX);
		return false;
	}
	items = reader_array(r, n, size);
	if (items == NULL)
		return false;
	memcpy(base + rule->offset, &items, sizeof(items));
	memcpy(base + rule->n_offset, &n, sizeof(n));
	return n == 0 || list_items_read(r, rule, node, where, items);
}

static bool rule_read(struct reader *r, const struct rule *rule, const yaml_node_t *node,
	const struct spot *where, char *base)
{
	bool good;

	if (rule->type == RULE_MAP)
		return map_read(r, rule->section, node, where, base + rule->offset);
	if (node == NULL) {
		if (rule->required)
			reader_complain(r, where,
				rule->example != NULL
					? reader_textf(r, "add %s: %s", rule->key, rule->example)
					: reader_textf(r, "add %s", rule->key),
				"is missing");
		initial_set(r, rule, base + rule->offset);
		return !rule->required;
	}
	if (rule->type == RULE_LIST)
		return list_read(r, rule, node, where, base);
	good = scalar_read(r, rule, rule->type, node, where, base + rule->offset);
	if (!good)
		initial_set(r, rule, base + rule->offset);
	return good;
}

static const struct rule *rule_find(const struct section *section, const char *key)
{
	for (const struct rule *rule = section->rules; rule->key != NULL; rule++) {
		if (strcmp(rule->key, key) == 0)
			return rule;
	}
	return NULL;
}

// One "key: value": remembers the value's node for the rule, or complains.
static bool pair_note(struct reader *r, const struct section *section, const yaml_node_t *key,
	const yaml_node_t *value, const char *prefix, const yaml_node_t **seen)
{
	struct spot where = {.line = node_line(key), .key = prefix};
	const struct rule *rule;

	if (key->type != YAML_SCALAR_NODE || strlen(node_text(key)) != key->data.scalar.length) {
		reader_complain(r, &where, "use plain words as keys", "a key is not a word");
		return false;
	}
	rule = rule_find(section, node_text(key));
	if (rule == NULL) {
		where.key = key_join(r, prefix, suggest_show(r, node_text(key)));
		reader_complain(
			r, &where, suggest_remedy(r, section, node_text(key)), "unknown key");
		return false;
	}
	if (seen[rule - section->rules] != NULL) {
		where.key = key_join(r, prefix, rule->key);
		reader_complain(r, &where, "keep one of the two",
			"is given a second time, first in line %u",
			node_line(seen[rule - section->rules]));
		return false;
	}
	seen[rule - section->rules] = value;
	return true;
}

static bool pairs_note(struct reader *r, const struct section *section, const yaml_node_t *node,
	const struct spot *where, const yaml_node_t **seen)
{
	bool good = true;

	if (node == NULL || node_is_null(node))
		return true;
	if (node->type != YAML_MAPPING_NODE) {
		reader_complain(r, where,
			reader_textf(r, "write \"key: value\" lines; known here: %s",
				suggest_known(r, section)),
			"needs keys and values");
		return false;
	}
	for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
		p < node->data.mapping.pairs.top; p++)
		good &= pair_note(
			r, section, node_get(r, p->key), node_get(r, p->value), where->key, seen);
	return good;
}

static bool map_read(struct reader *r, const struct section *section, const yaml_node_t *node,
	const struct spot *where, void *base)
{
	const yaml_node_t *seen[RULES_MAX] = {NULL};
	bool good = pairs_note(r, section, node, where, seen);

	for (const struct rule *rule = section->rules; rule->key != NULL; rule++) {
		const yaml_node_t *value = seen[rule - section->rules];
		struct spot spot = {
			.at = (char *)base + rule->offset,
			.key = key_join(r, where->key, rule->key),
			.line = value != NULL ? node_line(value) : where->line,
		};

		if (r->role == CONF_FOR_DATAPLANE && section == &schema_top && !rule->for_dataplane)
			continue;
		good &= rule_read(r, rule, value, &spot, base);
	}
	return good;
}

void reader_read(struct reader *r)
{
	const yaml_node_t *root = r->doc != NULL ? yaml_document_get_root_node(r->doc) : NULL;
	struct spot where = {.key = "", .line = root != NULL ? node_line(root) : 0};

	map_read(r, &schema_top, root, &where, r->draft);
}
