// SPDX-License-Identifier: BSD-3-Clause
// The derivation of RFC 8264 8, in its order, with the exceptions of 9.6, and the contextual rules
// of RFC 5892 A.
#include "class.h"

#include <unigbrk.h>
#include <uninorm.h>
#include <unictype.h>

#include <string.h>

enum class {
	CLASS_VALID,
	CLASS_CONTEXT,
	CLASS_DISALLOWED,
};

// ---- classes ------------------------------------------------------------------------------------

struct range {
	uint32_t first;
	uint32_t last;
	enum class class;
};

static const struct range exceptions[] = {
	{0x00b7, 0x00b7, CLASS_CONTEXT},
	{0x00df, 0x00df, CLASS_VALID},
	{0x0375, 0x0375, CLASS_CONTEXT},
	{0x03c2, 0x03c2, CLASS_VALID},
	{0x05f3, 0x05f4, CLASS_CONTEXT},
	{0x0640, 0x0640, CLASS_DISALLOWED},
	{0x0660, 0x0669, CLASS_CONTEXT},
	{0x06f0, 0x06f9, CLASS_CONTEXT},
	{0x06fd, 0x06fe, CLASS_VALID},
	{0x07fa, 0x07fa, CLASS_DISALLOWED},
	{0x0f0b, 0x0f0b, CLASS_VALID},
	{0x3007, 0x3007, CLASS_VALID},
	{0x302e, 0x302f, CLASS_DISALLOWED},
	{0x3031, 0x3035, CLASS_DISALLOWED},
	{0x303b, 0x303b, CLASS_DISALLOWED},
	{0x30fb, 0x30fb, CLASS_CONTEXT},
};

static const struct range *exception_of(uint32_t c)
{
	for (size_t i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++) {
		if (c >= exceptions[i].first && c <= exceptions[i].last)
			return &exceptions[i];
	}
	return NULL;
}

static bool is_old_jamo(uint32_t c)
{
	int property = uc_graphemeclusterbreak_property(c);

	return property == GBP_L || property == GBP_V || property == GBP_T;
}

static bool has_compatible(uint32_t c)
{
	uint32_t out[32];
	size_t n = sizeof(out) / sizeof(out[0]);
	uint32_t *got = u32_normalize(UNINORM_NFKC, &c, 1, out, &n);

	// Of a single character no result is longer.
	return got == out && (n != 1 || out[0] != c);
}

// Letters, digits, spaces, symbols and punctuation.
static bool is_text(uint32_t c)
{
	const uint32_t mask = UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_M | UC_CATEGORY_MASK_N |
			      UC_CATEGORY_MASK_Zs | UC_CATEGORY_MASK_S | UC_CATEGORY_MASK_P;

	return uc_is_general_category_withtable(c, mask);
}

static enum class class_of(uint32_t c) {
	const struct range *exception = exception_of(c);

	if (exception != NULL) return exception->class;
	if (uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Cn)) return CLASS_DISALLOWED;
	if (c >= 0x21 && c <= 0x7e) return CLASS_VALID;
	if (uc_is_property_join_control(c)) return CLASS_CONTEXT;
	if (is_old_jamo(c) || uc_is_property_default_ignorable_code_point(c) ||
		uc_is_property_not_a_character(c) ||
		uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Cc)) return CLASS_DISALLOWED;
	return has_compatible(c) || is_text(c) ? CLASS_VALID : CLASS_DISALLOWED;
}

// ---- contextual rules ---------------------------------------------------------------------------

struct context {
	const uint32_t *text;
	size_t len;
	size_t i;
};

static uint32_t before(const struct context *x)
{
	return x->i > 0 ? x->text[x->i - 1] : 0;
}

static uint32_t after(const struct context *x)
{
	return x->i + 1 < x->len ? x->text[x->i + 1] : 0;
}

static bool is_of(uint32_t c, const char *script)
{
	const uc_script_t *s = uc_script(c);

	return s != NULL && strcmp(s->name, script) == 0;
}

static bool follows_virama(const struct context *x)
{
	return x->i > 0 && uc_combining_class(before(x)) == UC_CCC_VR;
}

// Joining_Type: (L or D), T*, the character, T*, (R or D).
static bool joins(const struct context *x)
{
	size_t left = x->i, right = x->i + 1;
	int type;

	while (left > 0 && uc_joining_type(x->text[left - 1]) == UC_JOINING_TYPE_T)
		left--;
	while (right < x->len && uc_joining_type(x->text[right]) == UC_JOINING_TYPE_T)
		right++;
	if (left == 0 || right == x->len)
		return false;
	type = uc_joining_type(x->text[left - 1]);
	if (type != UC_JOINING_TYPE_L && type != UC_JOINING_TYPE_D)
		return false;
	type = uc_joining_type(x->text[right]);
	return type == UC_JOINING_TYPE_R || type == UC_JOINING_TYPE_D;
}

static bool has_between(const struct context *x, uint32_t first, uint32_t last)
{
	for (size_t i = 0; i < x->len; i++) {
		if (x->text[i] >= first && x->text[i] <= last)
			return true;
	}
	return false;
}

// KATAKANA MIDDLE DOT: somewhere among the scripts of Japanese.
static bool has_japanese(const struct context *x)
{
	for (size_t i = 0; i < x->len; i++) {
		uint32_t c = x->text[i];

		if (is_of(c, "Hiragana") || is_of(c, "Katakana") || is_of(c, "Han"))
			return true;
	}
	return false;
}

static bool context_allows(const struct context *x)
{
	uint32_t c = x->text[x->i];

	switch (c) {
	case 0x200c:
		return follows_virama(x) || joins(x);
	case 0x200d:
		return follows_virama(x);
	case 0x00b7:
		return before(x) == 'l' && after(x) == 'l';
	case 0x0375:
		return is_of(after(x), "Greek");
	case 0x05f3:
	case 0x05f4:
		return is_of(before(x), "Hebrew");
	case 0x30fb:
		return has_japanese(x);
	default:
		// The digits of Arabic do not go with its extended ones.
		return c < 0x06f0 ? !has_between(x, 0x06f0, 0x06f9)
				  : !has_between(x, 0x0660, 0x0669);
	}
}

bool precis_freeform_has(const uint32_t *text, size_t len, size_t i)
{
	const struct context x = {text, len, i};

	switch (class_of(text[i])) {
	case CLASS_VALID:
		return true;
	case CLASS_CONTEXT:
		return context_allows(&x);
	default:
		return false;
	}
}
