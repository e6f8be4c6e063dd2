// SPDX-License-Identifier: BSD-3-Clause
#include <bounds/backlog.h>

#include <errno.h>
#include <stdlib.h>

// However little is left: a few messages.
#define BYTES_LEAST    4096u
#define POOL_PART      8u
// An allocation takes a word more than it gives, and a multiple of a step.
#define ALLOCATOR_OWN  8u
#define ALLOCATOR_STEP 16u

struct backlog_item {
	struct backlog_item *next; // of its queue
	uint64_t number;
	uint64_t time_ns;
	uint16_t len;
	uint8_t data[];
};

size_t backlog_cost(size_t len)
{
	return (sizeof(struct backlog_item) + len + ALLOCATOR_OWN + ALLOCATOR_STEP - 1) /
	       ALLOCATOR_STEP * ALLOCATOR_STEP;
}

// ChannelData and indications; a response has the class bit 0x0100 set (RFC 8489 5).
static bool is_media(const uint8_t *data, size_t len)
{
	return len == 0 || (data[0] & 0xc1) != 0x01;
}

static void first_free(struct backlog *b, struct backlog_queue *q)
{
	struct backlog_item *item = q->first;

	q->first = item->next;
	if (q->first == NULL)
		q->last = NULL;
	b->bytes -= item->len;
	b->held -= backlog_cost(item->len);
	b->n--;
	if (b->pool != NULL)
		b->pool->held -= backlog_cost(item->len);
	free(item);
}

// Memory that messages may take now.
static size_t held_max(const struct backlog *b, const struct backlog_limits *l)
{
	uint64_t all = (uint64_t)l->bytes * BACKLOG_POOL_MAX, part;

	if (b->pool == NULL)
		return l->bytes;
	part = b->pool->held < all ? (all - b->pool->held) / POOL_PART : 0;
	if (part < BYTES_LEAST)
		part = BYTES_LEAST;
	return part < l->bytes ? (size_t)part : l->bytes;
}

// Drops the oldest media until a message of `len` bytes fits.
static void room_make(struct backlog *b, size_t max, size_t len)
{
	while (b->media.first != NULL && b->held + backlog_cost(len) > max) {
		first_free(b, &b->media);
		b->lost_full++;
	}
}

static bool item_add(struct backlog *b, uint64_t time_ns, const uint8_t *data, size_t len)
{
	struct backlog_queue *q = is_media(data, len) ? &b->media : &b->answers;
	struct backlog_item *item = malloc(sizeof(*item) + len);

	if (item == NULL)
		return false;
	item->next = NULL;
	item->number = ++b->number;
	item->time_ns = time_ns;
	item->len = (uint16_t)len;
	if (len > 0)
		memcpy(item->data, data, len);
	if (q->last == NULL)
		q->first = item;
	else
		q->last->next = item;
	q->last = item;
	b->bytes += len;
	b->held += backlog_cost(len);
	b->n++;
	if (b->pool != NULL)
		b->pool->held += backlog_cost(len);
	return true;
}

int backlog_push(struct backlog *b, const struct backlog_limits *l, uint64_t now_ns,
	const uint8_t *data, size_t len)
{
	bool media = is_media(data, len);
	size_t max;

	if (len > UINT16_MAX)
		return -EMSGSIZE;
	backlog_expire(b, l, now_ns);
	max = held_max(b, l);
	room_make(b, max, len);
	if (b->held + backlog_cost(len) > max) {
		b->lost_full += media;
		return media ? 0 : -ENOBUFS;
	}
	return item_add(b, now_ns, data, len) ? 0 : -ENOMEM;
}

void backlog_expire(struct backlog *b, const struct backlog_limits *l, uint64_t now_ns)
{
	const struct backlog_item *item;

	// Times rise along the queue.
	while ((item = b->media.first) != NULL && now_ns > item->time_ns &&
		now_ns - item->time_ns > l->age_ns) {
		first_free(b, &b->media);
		b->lost_late++;
	}
}

// The item that leaves first; NULL: there is none.
static const struct backlog_item *earlier(
	const struct backlog_item *answer, const struct backlog_item *media)
{
	if (answer == NULL || media == NULL)
		return answer == NULL ? media : answer;
	return answer->number < media->number ? answer : media;
}

size_t backlog_take(struct backlog *b, uint8_t *out, size_t room)
{
	const struct backlog_item *item;
	size_t n = 0;

	while ((item = earlier(b->answers.first, b->media.first)) != NULL) {
		size_t padding = -(size_t)item->len & 3u;

		if (item->len + padding > room - n)
			break;
		memcpy(out + n, item->data, item->len);
		memset(out + n + item->len, 0, padding);
		n += item->len + padding;
		first_free(b, item == b->media.first ? &b->media : &b->answers);
	}
	return n;
}

// ---- for another process ------------------------------------------------------------------------

// Before the bytes of each message.
struct saved {
	uint64_t time_ns;
	uint64_t len;
};

size_t backlog_save_size(const struct backlog *b)
{
	return b->n * sizeof(struct saved) + b->bytes;
}

void backlog_save(const struct backlog *b, uint8_t *out)
{
	const struct backlog_item *answer = b->answers.first, *media = b->media.first, *item;

	while ((item = earlier(answer, media)) != NULL) {
		const struct saved s = {.time_ns = item->time_ns, .len = item->len};

		memcpy(out, &s, sizeof(s));
		memcpy(out + sizeof(s), item->data, item->len);
		out += sizeof(s) + item->len;
		if (item == media)
			media = media->next;
		else
			answer = answer->next;
	}
}

bool backlog_load(struct backlog *b, const uint8_t *bytes, size_t len)
{
	struct saved s;

	for (; len > 0; bytes += s.len, len -= s.len) {
		if (len >= sizeof(s))
			memcpy(&s, bytes, sizeof(s));
		if (len < sizeof(s) || s.len > UINT16_MAX || s.len > len - sizeof(s) ||
			!item_add(b, s.time_ns, bytes + sizeof(s), s.len)) {
			backlog_fini(b);
			return false;
		}
		bytes += sizeof(s);
		len -= sizeof(s);
	}
	return true;
}

void backlog_fini(struct backlog *b)
{
	while (b->answers.first != NULL)
		first_free(b, &b->answers);
	while (b->media.first != NULL)
		first_free(b, &b->media);
}
