// SPDX-License-Identifier: BSD-3-Clause
// One JSON value as text. What a stranger chose (a user name) is escaped where it holds anything
// that would move, hide or break the text around it.
#pragma once

#include <jansson.h>

#include <ctl/command.h>
#include <text/buf.h>

// Room for any value as shown to people; longer texts are cut and end in "...".
#define RCTL_VALUE_SIZE 1024u

// The member of an object by "a.b.c"; NULL: there is none.
const json_t *rctl_member(const json_t *object, const char *key);

// For people: units, separators; "-" where there is nothing.
void rctl_value_show(struct text_buf *b, const json_t *v, enum ctl_format format);
// For programs: the plain value; empty where there is nothing.
void rctl_value_plain(struct text_buf *b, const json_t *v);
bool rctl_format_is_number(enum ctl_format format);
