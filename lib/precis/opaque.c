// SPDX-License-Identifier: BSD-3-Clause
#include <precis/opaque.h>

#include <uniconv.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include <stdlib.h>
#include <string.h>

#include "class.h"

// Rules of RFC 8265 4.2.1 in the order of RFC 8264 7; the class is looked at when all are applied,
// so that text which only normalization makes valid is taken.
struct work {
	uint32_t read[PRECIS_MAX];
	uint32_t made[PRECIS_MAX];
	size_t len;
};

static enum precis_fault text_read(struct work *w, const char *s, size_t len)
{
	size_t n = PRECIS_MAX;
	const uint8_t *bytes = (const uint8_t *)s;

	if (u8_check(bytes, len) != NULL)
		return PRECIS_NOT_UTF8;
	if (u8_to_u32(bytes, len, w->read, &n) != w->read)
		return PRECIS_NO_MEMORY;
	w->len = n;
	return PRECIS_GOOD;
}

static void spaces_map(struct work *w)
{
	for (size_t i = 0; i < w->len; i++) {
		if (uc_is_general_category_withtable(w->read[i], UC_CATEGORY_MASK_Zs))
			w->read[i] = ' ';
	}
}

static enum precis_fault text_normalize(struct work *w)
{
	size_t n = PRECIS_MAX;
	uint32_t *got = u32_normalize(UNINORM_NFC, w->read, w->len, w->made, &n);

	if (got == w->made) {
		w->len = n;
		return PRECIS_GOOD;
	}
	// It came in memory of its own because there are more than fit.
	if (got != NULL)
		explicit_bzero(got, n * sizeof(*got));
	free(got);
	return got != NULL ? PRECIS_TOO_LONG : PRECIS_NO_MEMORY;
}

static enum precis_fault text_check(const struct work *w, struct precis_text *out)
{
	for (size_t i = 0; i < w->len; i++) {
		if (precis_freeform_has(w->made, w->len, i))
			continue;
		out->character = w->made[i];
		return PRECIS_PROHIBITED;
	}
	return w->len == 0 ? PRECIS_EMPTY : PRECIS_GOOD;
}

static enum precis_fault text_write(const struct work *w, struct precis_text *out)
{
	for (size_t i = 0; i < w->len; i++) {
		int n = u8_uctomb((uint8_t *)out->bytes + out->len, w->made[i],
			(ptrdiff_t)(PRECIS_MAX - out->len));

		if (n < 0)
			return PRECIS_TOO_LONG;
		out->len += (size_t)n;
	}
	return PRECIS_GOOD;
}

enum precis_fault precis_opaque(const char *s, size_t len, struct precis_text *out)
{
	struct work *w;
	enum precis_fault fault;

	out->len = 0;
	out->character = 0;
	if (len == 0)
		return PRECIS_EMPTY;
	if (len > PRECIS_MAX)
		return PRECIS_TOO_LONG;
	w = malloc(sizeof(*w));
	if (w == NULL)
		return PRECIS_NO_MEMORY;
	fault = text_read(w, s, len);
	if (fault == PRECIS_GOOD) {
		spaces_map(w);
		fault = text_normalize(w);
	}
	if (fault == PRECIS_GOOD)
		fault = text_check(w, out);
	if (fault == PRECIS_GOOD)
		fault = text_write(w, out);
	explicit_bzero(w, sizeof(*w));
	free(w);
	if (fault != PRECIS_GOOD)
		out->len = 0;
	return fault;
}
