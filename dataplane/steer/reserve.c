// SPDX-License-Identifier: BSD-3-Clause
#include <steer/reserve.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// A set of all odd ports is the longest text there is: 32,768 numbers and commas.
#define RESERVE_TEXT_MAX 262144

static bool has(const struct reserve_ports *p, unsigned port)
{
	return (p->bits[port / 64] >> (port % 64) & 1) != 0;
}

static void add_range(struct reserve_ports *p, unsigned min, unsigned max)
{
	for (unsigned port = min; port <= max; port++)
		p->bits[port / 64] |= 1ull << (port % 64);
}

void steer_reserve_ports_of(struct reserve_ports *ports, const struct steer_claim *own, size_t n)
{
	memset(ports, 0, sizeof(*ports));
	for (size_t i = 0; i < n; i++)
		add_range(ports, own[i].port_min, own[i].port_max);
}

bool steer_reserve_ports_cover(const struct reserve_ports *have, const struct reserve_ports *want)
{
	for (size_t i = 0; i < TP_ARRAY_LEN(have->bits); i++) {
		if ((want->bits[i] & ~have->bits[i]) != 0)
			return false;
	}
	return true;
}

// One number of at most five digits; NULL if there is none.
static const char *parse_port(const char *text, unsigned *port)
{
	unsigned value = 0, digits = 0;

	for (; isdigit((unsigned char)*text) && digits < 6; digits++)
		value = value * 10 + (unsigned)(*text++ - '0');
	*port = value;
	return digits == 0 || value > UINT16_MAX ? NULL : text;
}

int steer_reserve_ports_parse(struct reserve_ports *ports, const char *text)
{
	memset(ports, 0, sizeof(*ports));
	while (*text != '\0' && !isspace((unsigned char)*text)) {
		unsigned min, max;

		text = parse_port(text, &min);
		if (text == NULL)
			return -EINVAL;
		max = min;
		if (*text == '-') {
			text = parse_port(text + 1, &max);
			if (text == NULL || max < min)
				return -EINVAL;
		}
		add_range(ports, min, max);
		if (*text == ',' && isdigit((unsigned char)text[1]))
			text++;
		else if (*text != '\0' && !isspace((unsigned char)*text))
			return -EINVAL;
	}
	while (isspace((unsigned char)*text))
		text++;
	return *text == '\0' ? 0 : -EINVAL;
}

int steer_reserve_ports_print(const struct reserve_ports *ports, char *text, size_t size)
{
	size_t len = 0;

	if (size == 0)
		return -E2BIG;
	text[0] = '\0';
	for (unsigned port = 0; port <= UINT16_MAX; port++) {
		unsigned min = port;
		int n;

		if (!has(ports, port))
			continue;
		while (port < UINT16_MAX && has(ports, port + 1))
			port++;
		n = snprintf(text + len, size - len, port > min ? "%s%u-%u" : "%s%u",
			len > 0 ? "," : "", min, port);
		if (n < 0 || (size_t)n >= size - len)
			return -E2BIG;
		len += (size_t)n;
	}
	return (int)len;
}

static int read_ports(const char *path, struct reserve_ports *ports, char *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, text + len, RESERVE_TEXT_MAX - 1 - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		n = -errno;
	close(fd);
	text[len] = '\0';
	return n < 0 ? (int)n : steer_reserve_ports_parse(ports, text);
}

static int write_ports(const char *path, const struct reserve_ports *ports, char *text)
{
	int len = steer_reserve_ports_print(ports, text, RESERVE_TEXT_MAX - 1);
	int fd, err = 0;

	if (len < 0)
		return len;
	text[len++] = '\n';
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	// The sysctl takes its text in one write only.
	if (write(fd, text, (size_t)len) != len)
		err = errno != 0 ? -errno : -EIO;
	close(fd);
	return err;
}

struct scratch {
	struct reserve_ports now;
	struct reserve_ports mine;
	struct reserve_ports before;
	char text[RESERVE_TEXT_MAX];
};

// Ephemeral ports beside the reserved ones; all of them where the range can't be read.
static unsigned count_left(const char *range, const struct reserve_ports *reserved)
{
	unsigned min, max, n = 0;
	FILE *f = fopen(range, "re");
	bool known = f != NULL && fscanf(f, "%u %u", &min, &max) == 2;

	if (f != NULL)
		fclose(f);
	if (!known)
		return UINT16_MAX;
	for (unsigned port = min; port <= max && port <= UINT16_MAX; port++)
		n += !has(reserved, port);
	return n;
}

int steer_reserve_apply(
	const char *sysctl, const char *range, const char *record, const struct reserve_ports *want)
{
	struct scratch *s = calloc(1, sizeof(*s));
	int err;

	if (s == NULL)
		return -ENOMEM;
	err = read_ports(sysctl, &s->now, s->text);
	// A record that can't be read names nothing: better too many reserved than somebody else's
	// given away.
	if (err == 0 && read_ports(record, &s->mine, s->text) != 0)
		memset(&s->mine, 0, sizeof(s->mine));
	if (err == 0) {
		for (size_t i = 0; i < TP_ARRAY_LEN(want->bits); i++) {
			uint64_t others = s->now.bits[i] & ~s->mine.bits[i];

			s->before.bits[i] = s->mine.bits[i];
			s->mine.bits[i] = want->bits[i] & ~others;
			s->before.bits[i] |= s->mine.bits[i];
			s->now.bits[i] = others | want->bits[i];
		}
		if (count_left(range, &s->now) < RESERVE_LEFT_MIN)
			err = -ENOSPC;
	}
	if (err == 0) {
		// At any moment the record names all that we may have added: a crash in between
		// leaves nothing reserved for good.
		err = write_ports(record, &s->before, s->text);
	}
	if (err == 0)
		err = write_ports(sysctl, &s->now, s->text);
	if (err == 0)
		err = write_ports(record, &s->mine, s->text);
	free(s);
	return err;
}

int steer_reserve_verify(const char *sysctl, const struct reserve_ports *want)
{
	struct scratch *s = calloc(1, sizeof(*s));
	int err;

	if (s == NULL)
		return -ENOMEM;
	err = read_ports(sysctl, &s->now, s->text);
	if (err == 0)
		err = steer_reserve_ports_cover(&s->now, want) ? 1 : 0;
	free(s);
	return err;
}

int steer_reserve_release(const char *sysctl, const char *record)
{
	struct scratch *s = calloc(1, sizeof(*s));
	int err;

	if (s == NULL)
		return -ENOMEM;
	err = read_ports(record, &s->mine, s->text);
	if (err == -ENOENT) {
		free(s);
		return 0;
	}
	if (err == 0)
		err = read_ports(sysctl, &s->now, s->text);
	if (err == 0) {
		for (size_t i = 0; i < TP_ARRAY_LEN(s->now.bits); i++)
			s->now.bits[i] &= ~s->mine.bits[i];
		err = write_ports(sysctl, &s->now, s->text);
	}
	if (err == 0 && unlink(record) != 0)
		err = -errno;
	free(s);
	return err;
}
