// SPDX-License-Identifier: BSD-3-Clause
#include <process/records.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <proc/start.h>
#include <turnpike/siphash.h>

static uint64_t sum_of(const struct records *f, const uint8_t *record)
{
	size_t from = sizeof(((struct records_head *)0)->sum);

	return tp_siphash24(f->kind->key, record + from, RECORDS_SIZE - from);
}

static off_t offset_of(uint32_t index)
{
	return (off_t)index * (off_t)RECORDS_SIZE;
}

static int file_open(struct records *f)
{
	struct stat st;

	f->fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f->fd < 0 || fstat(f->fd, &st) < 0)
		return records_refuse(f, -errno,
			"set control.state_directory to a directory that this user may write");
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
		return records_refuse(
			f, -EACCES, "the file must be this user's own, mode 0600: move it away");
	return 0;
}

int records_open(struct records *f, const struct records_kind *kind, const char *directory)
{
	f->kind = kind;
	snprintf(f->path, sizeof(f->path), "%s/%s", directory, kind->name);
	return file_open(f);
}

int records_refuse(struct records *f, int err, const char *remedy)
{
	records_close(f, false);
	return proc_start_failed(f->path, err, remedy);
}

int records_put_aside(struct records *f, const char *aside)
{
	if (rename(f->path, aside) < 0)
		return records_refuse(f, -errno, "its records are damaged: move it away");
	records_close(f, false);
	return file_open(f);
}

int records_read(const struct records *f, uint32_t index, void *record)
{
	static const uint8_t zero[RECORDS_SIZE];
	ssize_t n = pread(f->fd, record, RECORDS_SIZE, offset_of(index));
	struct records_head head;

	if (n <= 0)
		return n < 0 ? -errno : RECORDS_END;
	if (n < (ssize_t)RECORDS_SIZE)
		return RECORDS_DAMAGED;
	if (memcmp(record, zero, RECORDS_SIZE) == 0)
		return RECORDS_FREE;
	memcpy(&head, record, sizeof(head));
	return head.magic == f->kind->magic && head.sum == sum_of(f, record) ? RECORDS_WHOLE
									     : RECORDS_DAMAGED;
}

int records_write(const struct records *f, uint32_t index, void *record)
{
	uint8_t zero[RECORDS_SIZE] = {0};
	ssize_t n;

	if (record != NULL) {
		struct records_head head = {.magic = f->kind->magic};

		memcpy((uint8_t *)record + offsetof(struct records_head, magic), &head.magic,
			sizeof(head.magic));
		head.sum = sum_of(f, record);
		memcpy(record, &head.sum, sizeof(head.sum));
	}
	n = pwrite(f->fd, record != NULL ? record : zero, RECORDS_SIZE, offset_of(index));
	return n == (ssize_t)RECORDS_SIZE ? 0 : n < 0 ? -errno : -ENOSPC;
}

int records_flush(const struct records *f)
{
	return fdatasync(f->fd) < 0 ? -errno : 0;
}

bool records_are_free(const struct records *f)
{
	uint8_t record[RECORDS_SIZE];
	int state = RECORDS_FREE;

	for (uint32_t i = 0; state == RECORDS_FREE; i++)
		state = records_read(f, i, record);
	return state == RECORDS_END;
}

void records_close(struct records *f, bool remove)
{
	if (f->fd < 0)
		return;
	if (remove)
		(void)unlink(f->path);
	close(f->fd);
	f->fd = -1;
}
