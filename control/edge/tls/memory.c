// SPDX-License-Identifier: BSD-3-Clause
// Memory of OpenSSL. A handshake asks for a thousand blocks and gives most of them back at once:
// lists of free blocks, without a lock, are faster than the C library's malloc, which keeps seven
// of a size and none above 1 KiB.
#include <tls/tls.h>

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

#include <openssl/crypto.h>

// The C library's blocks have room for 24 bytes, 40, and so on.
#define STEP	    16u
#define SMALL_MAX   1032u
#define N_SMALL	    (SMALL_MAX / STEP)
// Above them eight sizes for each doubling.
#define LARGE_SHIFT 10u
#define DOUBLINGS   6u
#define PARTS	    8u
#define LARGE_MAX   ((size_t)1 << (LARGE_SHIFT + DOUBLINGS))
#define N_CLASSES   (N_SMALL + DOUBLINGS * PARTS)

struct block {
	struct block *next;
};

struct lists {
	size_t kept; // bytes
	struct block *first[N_CLASSES];
};

static pthread_key_t key;
static _Thread_local struct lists *own;
static _Thread_local bool ended;

static size_t class_size(unsigned number)
{
	unsigned part;

	if (number < N_SMALL)
		return (size_t)STEP * (number + 1) + STEP / 2;
	number -= N_SMALL;
	part = number % PARTS + 1;
	return ((size_t)PARTS + part) << (LARGE_SHIFT - 3 + number / PARTS);
}

// The first class whose blocks have room for so many bytes; N_CLASSES: none.
static unsigned class_of(size_t size)
{
	unsigned doubling;
	size_t part;

	if (size <= SMALL_MAX)
		return size <= STEP + STEP / 2 ? 0 : (unsigned)((size - STEP / 2 - 1) / STEP);
	if (size > LARGE_MAX)
		return N_CLASSES;
	doubling = 63 - LARGE_SHIFT - (unsigned)__builtin_clzl(size - 1);
	part = (size - 1) >> (LARGE_SHIFT - 3 + doubling);
	return N_SMALL + doubling * PARTS + (unsigned)(part - PARTS);
}

static struct lists *lists_own(void)
{
	if (own == NULL && !ended) {
		own = calloc(1, sizeof(*own));
		if (own != NULL && pthread_setspecific(key, own) != 0) {
			free(own);
			own = NULL;
		}
	}
	return own;
}

static void lists_end(void *lists)
{
	struct lists *l = lists;

	ended = true;
	own = NULL;
	for (unsigned i = 0; i < N_CLASSES; i++) {
		while (l->first[i] != NULL) {
			struct block *b = l->first[i];

			l->first[i] = b->next;
			free(b);
		}
	}
	free(l);
}

static void *take(size_t size, const char *file, int line)
{
	unsigned class = class_of(size);
	struct block *b;

	(void)file, (void)line;
	if (class == N_CLASSES)
		return malloc(size);
	b = own != NULL ? own->first[class] : NULL;
	if (b == NULL)
		return malloc(class_size(class));
	own->first[class] = b->next;
	own->kept -= class_size(class);
	return b;
}

static void give(void *at, const char *file, int line)
{
	size_t size = at == NULL ? 0 : malloc_usable_size(at);
	unsigned class = class_of(size);
	struct lists *l = lists_own();
	struct block *b = at;

	(void)file, (void)line;
	// It belongs to the class below, unless it has just the size of its own.
	if (class < N_CLASSES && class_size(class) > size)
		class = class == 0 ? N_CLASSES : class - 1;
	if (l == NULL || class == N_CLASSES || class_size(class) > TLS_MEMORY_KEPT - l->kept) {
		free(at);
		return;
	}
	b->next = l->first[class];
	l->first[class] = b;
	l->kept += class_size(class);
}

static void *change(void *at, size_t size, const char *file, int line)
{
	size_t before = at == NULL ? 0 : malloc_usable_size(at);
	void *now;

	if (size == 0) {
		give(at, file, line);
		return NULL;
	}
	if (size <= before && size >= before / 2)
		return at;
	now = take(size, file, line);
	if (now == NULL)
		return NULL;
	if (at != NULL)
		memcpy(now, at, size < before ? size : before);
	give(at, file, line);
	return now;
}

bool tls_memory_keep(void)
{
	if (pthread_key_create(&key, lists_end) != 0)
		return false;
	if (CRYPTO_set_mem_functions(take, change, give) == 1)
		return true;
	(void)pthread_key_delete(key);
	return false;
}
