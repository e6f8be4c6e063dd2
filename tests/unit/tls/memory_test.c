// SPDX-License-Identifier: BSD-3-Clause
// The memory that OpenSSL gives back is the next that it gets.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <openssl/crypto.h>
#include <tls/tls.h>

#define SIZE_MOST 80000u // above the largest that is kept

// Each size is given whole, again after it was given back, and keeps its bytes when it changes.
static void blocks_have_their_size(void **state)
{
	(void)state;
	for (size_t size = 1; size < SIZE_MOST; size += 1 + size / 50) {
		for (unsigned again = 0; again < 2; again++) {
			uint8_t *at = OPENSSL_malloc(size);

			assert_non_null(at);
			assert_int_equal((uintptr_t)at % 16, 0);
			memset(at, (int)(size & 0xff), size);
			at = OPENSSL_realloc(at, size * 3);
			assert_non_null(at);
			memset(at + size, 0, size * 2);
			at = OPENSSL_realloc(at, size);
			assert_non_null(at);
			for (size_t i = 0; i < size; i++)
				assert_int_equal(at[i], size & 0xff);
			OPENSSL_free(at);
		}
	}
	OPENSSL_free(NULL);
	assert_null(OPENSSL_realloc(OPENSSL_malloc(8), 0));
}

static void blocks_are_used_again(void **state)
{
	static const size_t sizes[] = {1, 24, 25, 1032, 1033, 17000, 65536};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(sizes); i++) {
		void *first = OPENSSL_malloc(sizes[i]), *second = OPENSSL_malloc(sizes[i]);
		uintptr_t places[] = {(uintptr_t)first, (uintptr_t)second};

		OPENSSL_free(first);
		OPENSSL_free(second);
		second = OPENSSL_malloc(sizes[i]);
		first = OPENSSL_malloc(sizes[i]);
		if (sizes[i] < 65536) {
			assert_true((uintptr_t)second == places[1]);
			assert_true((uintptr_t)first == places[0]);
		}
		OPENSSL_free(first);
		OPENSSL_free(second);
	}
}

// Far more than a thread keeps, and one thread frees blocks of another; the lists of an ended
// thread are not lost (a sanitizer tells).
static void *flood(void *given)
{
	static void *blocks[4096];

	for (size_t i = 0; i < TP_ARRAY_LEN(blocks); i++)
		blocks[i] = OPENSSL_malloc(1 + i * 7);
	for (size_t i = 0; i < TP_ARRAY_LEN(blocks); i++)
		OPENSSL_free(blocks[i]);
	OPENSSL_free(given);
	return OPENSSL_malloc(100);
}

static void threads_have_their_own(void **state)
{
	pthread_t thread;
	void *taken;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(pthread_create(&thread, NULL, flood, OPENSSL_malloc(20000)), 0);
		assert_int_equal(pthread_join(thread, &taken), 0);
		OPENSSL_free(taken);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_have_their_size),
		cmocka_unit_test(blocks_are_used_again),
		cmocka_unit_test(threads_have_their_own),
	};

	if (!tls_memory_keep())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
