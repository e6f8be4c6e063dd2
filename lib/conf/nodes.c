// SPDX-License-Identifier: BSD-3-Clause
// From YAML nodes, by the table of rules, to the draft.
#include "errors.h"
#include "loader.h"
#include "suggest.h"

#include <string.h>

#define RULES_MAX 32u
#define LIST_MAX  100000u

static bool map_read(struct conf_loader *load, const struct section *section,
	const yaml_node_t *node, const struct spot *where, void *base);

static const yaml_node_t *node_get(const struct conf_loader *load, int id)
{
	return yaml_document_get_node(load->doc, id);
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

static const char *key_join(struct conf_loader *load, const char *prefix, const char *key)
{
	return conf_textf(load, "%s%s%s", prefix, prefix[0] != '\0' ? "." : "", key);
}

static void initial_set(struct conf_loader *load, const struct rule *rule, void *at)
{
	struct spot none = {.key = rule->key};

	if (rule->initial != NULL)
		conf_value_read(load, rule, rule->type, &none, rule->initial, at);
}

static bool scalar_read(struct conf_loader *load, const struct rule *rule, enum rule_type type,
	const yaml_node_t *node, const struct spot *where, void *at)
{
	const char *example = rule->example != NULL ? rule->example : rule->initial;

	if (node->type != YAML_SCALAR_NODE) {
		conf_complain(load, where,
			example != NULL ? conf_textf(load, "write it as %s", example)
					: "write one value behind the key",
			"needs a single value, not a %s",
			node->type == YAML_SEQUENCE_NODE ? "list" : "group of keys");
		return false;
	}
	if (node_is_null(node) || node_text(node)[0] == '\0') {
		conf_complain(load, where, "give a value or remove the key", "has no value");
		return false;
	}
	if (strlen(node_text(node)) != node->data.scalar.length) {
		conf_complain(load, where, "remove the NUL character", "contains a NUL character");
		return false;
	}
	if (!conf_value_read(load, rule, type, where, node_text(node), at))
		return false;
	conf_spot_note(load, where);
	return true;
}

static bool list_items_read(struct conf_loader *load, const struct rule *rule,
	const yaml_node_t *node, const struct spot *where, char *items)
{
	size_t size = rule->section != NULL ? rule->section->size : conf_rule_size(rule->item);
	const yaml_node_item_t *id = node->data.sequence.items.start;
	bool good = true;

	for (size_t i = 0; id + i < node->data.sequence.items.top; i++) {
		const yaml_node_t *item = node_get(load, id[i]);
		struct spot spot = {
			.at = items + i * size,
			.is_struct = rule->section != NULL,
			.key = conf_textf(load, "%s[%zu]", where->key, i),
			.line = node_line(item),
		};

		if (rule->section == NULL)
			good &= scalar_read(load, rule, rule->item, item, &spot, items + i * size);
		else if (map_read(load, rule->section, item, &spot, items + i * size))
			conf_spot_note(load, &spot);
		else
			good = false;
	}
	return good;
}

static bool list_read(struct conf_loader *load, const struct rule *rule, const yaml_node_t *node,
	const struct spot *where, char *base)
{
	size_t size = rule->section != NULL ? rule->section->size : conf_rule_size(rule->item);
	size_t n = 0;
	char *items;

	if (node->type == YAML_SEQUENCE_NODE) {
		n = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
	} else if (!node_is_null(node)) {
		conf_complain(load, where,
			rule->section != NULL || node->type != YAML_SCALAR_NODE
				? "begin each entry with \"- \""
				: conf_textf(load, "write it as [%s]",
					  conf_suggest_show(load, node_text(node))),
			"needs a list");
		return false;
	}
	if (n == 0 && rule->required) {
		conf_complain(load, where, "give at least one entry", "is empty");
		return false;
	}
	if (n > LIST_MAX) {
		conf_complain(load, where, "keep it shorter", "has more than %u entries", LIST_MAX);
		return false;
	}
	items = conf_array(load, n, size);
	if (items == NULL)
		return false;
	memcpy(base + rule->offset, &items, sizeof(items));
	memcpy(base + rule->n_offset, &n, sizeof(n));
	return n == 0 || list_items_read(load, rule, node, where, items);
}

static bool rule_read(struct conf_loader *load, const struct rule *rule, const yaml_node_t *node,
	const struct spot *where, char *base)
{
	bool good;

	if (rule->type == RULE_MAP)
		return map_read(load, rule->section, node, where, base + rule->offset);
	if (node == NULL) {
		if (rule->required)
			conf_complain(load, where,
				rule->example != NULL
					? conf_textf(load, "add %s: %s", rule->key, rule->example)
					: conf_textf(load, "add %s", rule->key),
				"is missing");
		initial_set(load, rule, base + rule->offset);
		return !rule->required;
	}
	if (rule->type == RULE_LIST)
		return list_read(load, rule, node, where, base);
	good = scalar_read(load, rule, rule->type, node, where, base + rule->offset);
	if (!good)
		initial_set(load, rule, base + rule->offset);
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
static bool pair_note(struct conf_loader *load, const struct section *section,
	const yaml_node_t *key, const yaml_node_t *value, const char *prefix,
	const yaml_node_t **seen)
{
	struct spot where = {.line = node_line(key), .key = prefix};
	const struct rule *rule;

	if (key->type != YAML_SCALAR_NODE || strlen(node_text(key)) != key->data.scalar.length) {
		conf_complain(load, &where, "use plain words as keys", "a key is not a word");
		return false;
	}
	rule = rule_find(section, node_text(key));
	if (rule == NULL && conf_errors_full(load->errs)) {
		conf_complain(load, &where, "", "unknown key");
		return false;
	}
	if (rule == NULL) {
		where.key = key_join(load, prefix, conf_suggest_show(load, node_text(key)));
		conf_complain(load, &where, conf_suggest_remedy(load, section, node_text(key)),
			"unknown key");
		return false;
	}
	if (seen[rule - section->rules] != NULL) {
		where.key = key_join(load, prefix, rule->key);
		conf_complain(load, &where, "keep one of the two",
			"is given a second time, first in line %u",
			node_line(seen[rule - section->rules]));
		return false;
	}
	seen[rule - section->rules] = value;
	return true;
}

static bool pairs_note(struct conf_loader *load, const struct section *section,
	const yaml_node_t *node, const struct spot *where, const yaml_node_t **seen)
{
	bool good = true;

	if (node == NULL || node_is_null(node))
		return true;
	if (node->type != YAML_MAPPING_NODE) {
		conf_complain(load, where,
			conf_textf(load, "write \"key: value\" lines; known here: %s",
				conf_suggest_known(load, section)),
			"needs keys and values");
		return false;
	}
	for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
		p < node->data.mapping.pairs.top; p++)
		good &= pair_note(load, section, node_get(load, p->key), node_get(load, p->value),
			where->key, seen);
	return good;
}

static bool is_read(const struct rule *rule, enum conf_role role)
{
	return role == CONF_FOR_CONTROL || role == CONF_FOR_DIRECTORY || rule->for_dataplane ||
	       (role == CONF_FOR_EDGE && rule->for_edge);
}

static bool map_read(struct conf_loader *load, const struct section *section,
	const yaml_node_t *node, const struct spot *where, void *base)
{
	const yaml_node_t *seen[RULES_MAX] = {NULL};
	bool good = pairs_note(load, section, node, where, seen);

	for (const struct rule *rule = section->rules; rule->key != NULL; rule++) {
		const yaml_node_t *value = seen[rule - section->rules];
		struct spot spot = {
			.at = (char *)base + rule->offset,
			.key = key_join(load, where->key, rule->key),
			.line = value != NULL ? node_line(value) : where->line,
		};

		if (section == &conf_schema_top && !is_read(rule, load->role))
			continue;
		good &= rule_read(load, rule, value, &spot, base);
	}
	return good;
}

void conf_document_read(struct conf_loader *load)
{
	const yaml_node_t *root = load->doc != NULL ? yaml_document_get_root_node(load->doc) : NULL;
	struct spot where = {.key = "", .line = root != NULL ? node_line(root) : 0};

	map_read(load, &conf_schema_top, root, &where, load->draft);
}
