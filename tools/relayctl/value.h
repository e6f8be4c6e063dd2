// SPDX-License-Identifier: BSD-3-Clause
// One JSON value as text. Strings that strangers chose (user names) are escaped where they would
// move, hide or break the text around them.
#pragma once

#include <jansson.h>

#include <ctl/command.h>
#include <text/buf.h>

// Room for any value as shown to people; longer texts are cut and end in "...".
#define RCTL_VALUE_SIZE 1024u

// The member of an object by "a.b.c"; NULL: there is none.
const json_t *rctl_member(const json_t *object, const char *key);

// Formats a value for people: units, separators; "-" for none.
void rctl_value_show(struct text_buf *b, const json_t *v, enum ctl_format format);
// Formats a value for programs: plain; empty for none.
void rctl_value_plain(struct text_buf *b, const json_t *v);
bool rctl_format_is_number(enum ctl_format format);
