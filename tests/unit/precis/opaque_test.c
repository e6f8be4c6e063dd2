// SPDX-License-Identifier: BSD-3-Clause
// OpaqueString: the examples of RFC 8265 4.2.3 and those of RFC 8489 B.1, each contextual rule of
// RFC 5892 A both ways, and random bytes.
#include <precis/opaque.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void become(const char *from, const char *to)
{
	struct precis_text t;

	assert_int_equal(precis_opaque(from, strlen(from), &t), PRECIS_GOOD);
	assert_int_equal(t.len, strlen(to));
	assert_memory_equal(t.bytes, to, t.len);
}

static void stay(const char *text)
{
	become(text, text);
}

static void refuse(const char *from, uint32_t character)
{
	struct precis_text t;

	assert_int_equal(precis_opaque(from, strlen(from), &t), PRECIS_PROHIBITED);
	assert_int_equal(t.character, character);
	assert_int_equal(t.len, 0);
}

static void examples_of_the_rfc(void **state)
{
	(void)state;
	stay("correct horse battery staple");
	stay("Correct Horse Battery Staple");
	stay("\u03c0\u00df\u00e5");
	stay("Jack of \u2666s");
	become("foo\u1680bar", "foo bar");
	refuse("my cat is a \x09 by", 0x09);
}

// RFC 8489 B.1. Its password before preparation is an example of the older SASLprep: OpaqueString
// knows no soft hyphen, and leaves the other two.
// Clauses: 8489 14.3-2
static void names_and_passwords_of_stun(void **state)
{
	(void)state;
	stay("\u30de\u30c8\u30ea\u30c3\u30af\u30b9");
	stay("TheMatrIX");
	stay("example.org");
	refuse("The\u00adM\u00aatr\u2168", 0xad);
	stay("TheM\u00aatr\u2168");
}

static void spaces_become_one_kind(void **state)
{
	(void)state;
	become("a\u00a0b\u2003c\u3000d\u202fe", "a b c d e");
	// They are neither trimmed nor joined.
	become("\u00a0 a \u00a0", "  a  ");
}

static void forms_become_one(void **state)
{
	(void)state;
	become("Jose\u0301", "Jos\u00e9");
	become("\u212b", "\u00c5");
	become("q\u0307\u0323", "q\u0323\u0307");
	// Letters of Hangul are no text, but their syllables are.
	become("\u1112\u1161\u11ab", "\ud55c");
	refuse("\u1112", 0x1112);
	stay("\uff21\ufb01\u00bd"); // compatibility forms stay
}

static void empty_is_refused(void **state)
{
	struct precis_text t;

	(void)state;
	assert_int_equal(precis_opaque("", 0, &t), PRECIS_EMPTY);
}

static void bytes_that_are_no_text(void **state)
{
	static const char *const bad[] = {"\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "a\xf5\x80"};
	struct precis_text t;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(precis_opaque(bad[i], strlen(bad[i]), &t), PRECIS_NOT_UTF8);
}

static void too_long(void **state)
{
	char *text = calloc(1, PRECIS_MAX + 1);
	struct precis_text *t = calloc(1, sizeof(*t));

	(void)state;
	memset(text, 'a', PRECIS_MAX + 1);
	assert_int_equal(precis_opaque(text, PRECIS_MAX, t), PRECIS_GOOD);
	assert_int_equal(t->len, PRECIS_MAX);
	assert_int_equal(precis_opaque(text, PRECIS_MAX + 1, t), PRECIS_TOO_LONG);
	// U+1D160 is three characters in form C.
	for (size_t i = 0; i < PRECIS_MAX; i += 4)
		memcpy(text + i, "\xf0\x9d\x85\xa0", 4);
	assert_int_equal(precis_opaque(text, PRECIS_MAX, t), PRECIS_TOO_LONG);
	free(text);
	free(t);
}

static void characters_that_are_no_text(void **state)
{
	(void)state;
	refuse("a\xc2\x85", 0x85);	  // a control
	refuse("a\u200b", 0x200b);	  // ignored by default
	refuse("a\u2028", 0x2028);	  // separates lines
	refuse("a\ue000", 0xe000);	  // of private use
	refuse("a\ufdd0", 0xfdd0);	  // never a character
	refuse("a\u0378", 0x378);	  // not assigned
	refuse("a\u0640", 0x640);	  // excepted by name
	refuse("a\U000e0041", 0xe0041);	  // a tag
	stay("\u06fd\u0f0b\u3007\u00df"); // excepted by name, too
	stay("\u01c5\u2160\u20dd");	  // letters and digits beyond those of identifiers
}

static void contextual_rules(void **state)
{
	(void)state;
	stay("\u0915\u094d\u200c\u0937"); // behind a virama
	stay("\u0628\u200c\u0628");	  // between letters that join
	stay("\u0628\u064b\u200c\u064b\u0628");
	refuse("a\u200c", 0x200c);
	refuse("a\u200cb", 0x200c);
	refuse("\u0628\u200c", 0x200c);
	stay("\u0915\u094d\u200d");
	refuse("a\u200d", 0x200d);
	refuse("\u200d", 0x200d);
	stay("l\u00b7l");
	refuse("l\u00b7", 0xb7);
	refuse("a\u00b7l", 0xb7);
	stay("\u0375\u03b1");
	refuse("\u0375a", 0x375);
	stay("\u05d0\u05f3");
	stay("\u05d0\u05f4");
	refuse("a\u05f3", 0x5f3);
	stay("\u30a2\u30fb");
	stay("\u30fb\u4e00");
	refuse("a\u30fb", 0x30fb);
	stay("\u0660\u0669");
	stay("\u06f0\u06f9");
	refuse("\u0660\u06f0", 0x660);
	refuse("\u06f9\u0661", 0x6f9);
}

// Prepared text stays as it is (RFC 8264 7, idempotent).
static void a_second_time_changes_nothing(void **state)
{
	unsigned seed = (unsigned)time(NULL);
	struct precis_text *once = calloc(1, sizeof(*once)), *twice = calloc(1, sizeof(*twice));
	unsigned good = 0;

	(void)state;
	print_message("seed %u\n", seed);
	for (unsigned n = 0; n < 20000; n++) {
		char text[32];
		size_t len = 0, letters = 1 + (unsigned)rand_r(&seed) % 6;

		for (size_t i = 0; i < letters; i++) {
			uint32_t c = 0x80 + (uint32_t)rand_r(&seed) % 0x3000;

			if (c < 0x800) {
				text[len++] = (char)(0xc0 | c >> 6);
			} else {
				text[len++] = (char)(0xe0 | c >> 12);
				text[len++] = (char)(0x80 | (c >> 6 & 0x3f));
			}
			text[len++] = (char)(0x80 | (c & 0x3f));
		}
		if (precis_opaque(text, len, once) != PRECIS_GOOD)
			continue;
		good++;
		assert_int_equal(precis_opaque(once->bytes, once->len, twice), PRECIS_GOOD);
		assert_int_equal(once->len, twice->len);
		assert_memory_equal(once->bytes, twice->bytes, once->len);
	}
	assert_true(good > 1000);
	free(once);
	free(twice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_of_the_rfc),
		cmocka_unit_test(names_and_passwords_of_stun),
		cmocka_unit_test(spaces_become_one_kind),
		cmocka_unit_test(forms_become_one),
		cmocka_unit_test(empty_is_refused),
		cmocka_unit_test(bytes_that_are_no_text),
		cmocka_unit_test(too_long),
		cmocka_unit_test(characters_that_are_no_text),
		cmocka_unit_test(contextual_rules),
		cmocka_unit_test(a_second_time_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
