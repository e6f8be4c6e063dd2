// SPDX-License-Identifier: BSD-3-Clause
#include "prepare.h"

#include <precis/opaque.h>

#include <string.h>

// Nearly all names and passwords: they stay as they are.
static bool is_plain(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (s[i] < ' ' || s[i] > '~')
			return false;
	}
	return len > 0;
}

static bool octets_keep(
	struct conf_loader *load, const char *s, size_t len, struct conf_octets *out)
{
	char *copy = conf_arena_text(&load->arena, s, len);

	load->out_of_memory |= copy == NULL;
	*out = (struct conf_octets){(const uint8_t *)copy, len};
	return copy != NULL;
}

static void fault_set(struct conf_fault *f, const char *problem, const char *remedy)
{
	*f = (struct conf_fault){problem, remedy};
}

static void fault_tell(struct conf_loader *load, enum precis_fault fault, uint32_t character,
	bool secret, struct conf_fault *f)
{
	static const char remedy[] = "write it without that character";

	switch (fault) {
	case PRECIS_EMPTY:
		fault_set(f, "is empty", "write at least one character");
		break;
	case PRECIS_NOT_UTF8:
		fault_set(f, "is not UTF-8", "write it as UTF-8 text");
		break;
	case PRECIS_TOO_LONG:
		fault_set(f, "is too long", "use a shorter one");
		break;
	case PRECIS_PROHIBITED:
		fault_set(f,
			secret ? "contains a character that RFC 8265 does not allow"
			       : conf_textf(load, "contains U+%04X, which RFC 8265 does not allow",
					 (unsigned)character),
			remedy);
		break;
	default:
		load->out_of_memory = true;
		fault_set(f, "can't be prepared", "free memory");
		break;
	}
}

bool conf_prepare(struct conf_loader *load, struct conf_octets in, bool secret,
	struct conf_octets *out, struct conf_fault *f)
{
	const char *s = (const char *)in.data;
	struct precis_text text;
	enum precis_fault fault;
	bool kept = false;

	*f = (struct conf_fault){0};
	*out = in;
	if (is_plain(s, in.len))
		return true;
	fault = precis_opaque(s, in.len, &text);
	if (fault == PRECIS_GOOD)
		kept = octets_keep(load, text.bytes, text.len, out);
	else
		fault_tell(load, fault, text.character, secret, f);
	explicit_bzero(&text, sizeof(text));
	return kept;
}
