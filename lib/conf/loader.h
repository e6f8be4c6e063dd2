// SPDX-License-Identifier: BSD-3-Clause
// State of one run of conf_load: position in the file, values read, mistakes found.
#pragma once

#include "arena.h"
#include "schema.h"

#include <yaml.h>

// Where a value stands. `key` lives in the reader's scratch.
struct spot {
	const void *at; // the value in the draft
	bool is_struct; // a list's struct: its first member has the same address
	const char *key;
	unsigned line;
};

struct conf_loader {
	struct conf_arena arena;   // kept by the struct conf
	struct conf_arena scratch; // freed with the loader
	struct draft *draft;	   // in the scratch arena
	struct conf_errors *errs;
	const char *file;      // as errors name it
	const char *directory; // start of relative paths; "" is the working directory
	enum conf_role role;
	yaml_document_t *doc;
	struct spot *spots; // of values without a mistake, sorted by address once all is read
	size_t n_spots;
	size_t spots_capacity;
	bool out_of_memory;
};

// A mistake; `remedy` is a whole clause. Text from the file is escaped by the caller:
// conf_quote.
void conf_complain(struct conf_loader *load, const struct spot *where, const char *remedy,
	const char *problem, ...) __attribute__((format(printf, 4, 5)));
void conf_warn(struct conf_loader *load, const struct spot *where, const char *remedy,
	const char *problem, ...) __attribute__((format(printf, 4, 5)));
// In another file than the configuration.
void conf_complain_in(struct conf_loader *load, const char *file, unsigned line, const char *remedy,
	const char *problem, ...) __attribute__((format(printf, 5, 6)));

// Text of the file between quotes, escaped, cut where it is long; in the scratch arena.
const char *conf_quote(struct conf_loader *load, const char *s);
// printf into the scratch arena; never NULL.
const char *conf_textf(struct conf_loader *load, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

// Memory of the configuration; notes when there is none left.
void *conf_array(struct conf_loader *load, size_t n, size_t size);

void conf_spot_note(struct conf_loader *load, const struct spot *spot);
void conf_spots_sort(struct conf_loader *load);
// The place of a value, or of a struct in a list, that was read from the file without a mistake in
// it; else NULL.
const struct spot *conf_spot_of_value(const struct conf_loader *load, const void *at);
const struct spot *conf_spot_of_struct(const struct conf_loader *load, const void *at);

// Opens and reads the file, or takes the text (path NULL); on failure the mistake is noted.
int conf_document_load(
	struct conf_loader *load, const char *path, const char *text, yaml_document_t *doc);

// Reads the whole document by the table (doc NULL: the defaults alone).
void conf_document_read(struct conf_loader *load);

// One scalar as the rule says; false, with the mistake noted, if it is none.
bool conf_value_read(struct conf_loader *load, const struct rule *rule, enum rule_type type,
	const struct spot *where, const char *text, void *at);

// Files that the configuration names; only for the role that may read them.
void conf_secrets_load(struct conf_loader *load);
// Those of a realm's tokens.
void conf_tokens_load(
	struct conf_loader *load, const struct draft_tokens *d, struct conf_tokens *out);
// The files of the directory's sources, for that role.
void conf_directory_load(struct conf_loader *load);
// The one line of a private file; false, with the mistake noted.
bool conf_line_load(struct conf_loader *load, const struct spot *where, const char *path,
	struct conf_octets *out);
// Settles the draft into the struct conf, running the checks that concern more than one value.
void conf_settle(struct conf_loader *load, const char *instance);

// Finds duplicates among the n elements of `size` bytes at base (`structs`: a list's structs):
// tells each pair of neighbours in the order of compare for which it answers 0, the later one in
// the file last. Elements with a mistake in them are left out.
typedef int (*conf_compare_fn)(const void *a, const void *b);
typedef void (*conf_pair_fn)(
	struct conf_loader *load, const struct spot *first, const struct spot *second);
struct conf_pairs {
	const void *base;
	size_t n;
	size_t size;
	bool structs;
	conf_compare_fn compare;
	conf_pair_fn tell;
};
void conf_pairs_find(struct conf_loader *load, const struct conf_pairs *in);
