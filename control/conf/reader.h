// SPDX-License-Identifier: BSD-3-Clause
// One run of conf_load: where it stands in the file, what it has read, what it found wrong.
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

struct reader {
	struct arena arena;   // what the struct conf keeps
	struct arena scratch; // what is gone with the reader
	struct draft *draft;  // in the scratch arena
	struct conf_errors *errs;
	const char *file;      // as errors name it
	const char *directory; // what relative paths start from; "" is the working directory
	enum conf_role role;
	yaml_document_t *doc;
	struct spot *spots; // of values without a mistake, sorted by address once all is read
	size_t n_spots;
	size_t spots_capacity;
	bool out_of_memory;
};

// A mistake; `remedy` is a whole clause. Text from the file is escaped by the caller:
// reader_quote.
void reader_complain(struct reader *r, const struct spot *where, const char *remedy,
	const char *problem, ...) __attribute__((format(printf, 4, 5)));
void reader_warn(struct reader *r, const struct spot *where, const char *remedy,
	const char *problem, ...) __attribute__((format(printf, 4, 5)));
// In another file than the configuration.
void reader_complain_in(struct reader *r, const char *file, unsigned line, const char *remedy,
	const char *problem, ...) __attribute__((format(printf, 5, 6)));

// Text of the file between quotes, escaped, cut where it is long; in the scratch arena.
const char *reader_quote(struct reader *r, const char *s);
// printf into the scratch arena; never NULL.
const char *reader_textf(struct reader *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

// Memory of the configuration; notes when there is none left.
void *reader_array(struct reader *r, size_t n, size_t size);

void reader_note_spot(struct reader *r, const struct spot *spot);
void reader_sort_spots(struct reader *r);
// Of a value, or of a struct in a list, that was read from the file without a mistake in it; else
// NULL.
const struct spot *reader_find_value(const struct reader *r, const void *at);
const struct spot *reader_find_struct(const struct reader *r, const void *at);

// Opens and reads the file, or takes the text (path NULL); on failure the mistake is noted.
int reader_document_load(
	struct reader *r, const char *path, const char *text, yaml_document_t *doc);

// Reads the whole document by the table (doc NULL: the defaults alone).
void reader_read(struct reader *r);

// One scalar as the rule says; false, with the mistake noted, if it is none.
bool reader_value(struct reader *r, const struct rule *rule, enum rule_type type,
	const struct spot *where, const char *text, void *at);

// Files that the configuration names; only for the role that may read them.
void reader_secrets_load(struct reader *r);
// Settles the draft into the struct conf, checking what concerns more than one value.
void reader_settle(struct reader *r, const char *instance);

// Finds what is given twice among the n elements of `size` octets at base (`structs`: a list's
// structs): tells each pair of neighbours in the order of compare for which it answers 0, the later
// one in the file last. Elements with a mistake in them are left out.
typedef int (*reader_compare_fn)(const void *a, const void *b);
typedef void (*reader_pair_fn)(
	struct reader *r, const struct spot *first, const struct spot *second);
struct reader_pairs {
	const void *base;
	size_t n;
	size_t size;
	bool structs;
	reader_compare_fn compare;
	reader_pair_fn tell;
};
void reader_find_pairs(struct reader *r, const struct reader_pairs *in);
