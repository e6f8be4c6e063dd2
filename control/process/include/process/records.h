// SPDX-License-Identifier: BSD-3-Clause
// A file of records of one size in control.state_directory, each with its number. It is opened at
// start, because no file can be later. A record is written whole, within a page; one that a crash
// of the host has cut has a wrong sum. All zero: free. Host byte order: the file stays on its host.
//
// Threads: one. Errors: a negative errno, or of `_open` and `_refuse` the exit status of the
// process, after the reason has been logged.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORDS_SIZE	 1024u
#define RECORDS_PATH_MAX 512u

struct records_kind {
	const char *name; // of the file
	uint32_t magic;
	uint8_t key[16]; // of the sums
};

// The first bytes of each record, which records_write fills in.
struct records_head {
	uint64_t sum; // of the rest
	uint32_t magic;
};

struct records {
	const struct records_kind *kind;
	int fd; // -1: not open
	char path[RECORDS_PATH_MAX];
};

enum records_state {
	RECORDS_END, // the file has no more
	RECORDS_FREE,
	RECORDS_WHOLE,
	RECORDS_DAMAGED, // cut, of a wrong sum, or of another kind
};

// The file must be this user's own, mode 0600; it is made where there is none.
int records_open(struct records *f, const struct records_kind *kind, const char *directory);
// Closes a file that can't be used, so that nothing is written to it.
int records_refuse(struct records *f, int err, const char *remedy);
// Renames the file to `aside` and opens a new one.
int records_put_aside(struct records *f, const char *aside);
// Returns an enum records_state. `record`: RECORDS_SIZE bytes, filled in where it is WHOLE.
int records_read(const struct records *f, uint32_t index, void *record);
// Writes a record, or frees its place where that is NULL. 0 or a negative errno.
int records_write(const struct records *f, uint32_t index, void *record);
// 0 or a negative errno.
int records_flush(const struct records *f);
// Whether every record is free. False where that can't be read.
bool records_are_free(const struct records *f);
void records_close(struct records *f, bool remove);
