// SPDX-License-Identifier: BSD-3-Clause
#include <shm/group.h>

#include <sys/socket.h>
#include <unistd.h>

#define MEMBERS_MAX 64u
#define GROUPS_MAX  1024u // of a peer

static gid_t tables_group = (gid_t)-1;
static uid_t members[MEMBERS_MAX];
static unsigned n_members;

void shm_tables_group_set(gid_t group)
{
	tables_group = group;
	n_members = 0;
}

gid_t shm_tables_group(const struct shm_place *p)
{
	return p->group == (gid_t)-1 || tables_group == (gid_t)-1 ? p->group : tables_group;
}

void shm_tables_member_add(uid_t uid)
{
	if (n_members < MEMBERS_MAX)
		members[n_members++] = uid;
}

bool shm_tables_is_member(uid_t uid)
{
	for (unsigned i = 0; i < n_members; i++) {
		if (members[i] == uid)
			return true;
	}
	return false;
}

// The groups of a listening socket's process are those it had when it began to listen.
static bool peer_is_in(int fd, gid_t group)
{
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof(groups);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++) {
		if (groups[i] == group)
			return true;
	}
	return false;
}

bool shm_tables_peer(const struct shm_place *p, int fd, uid_t *uid)
{
	const gid_t group = shm_tables_group(p);
	struct ucred peer;
	socklen_t len = sizeof(peer);

	*uid = (uid_t)-1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	*uid = peer.uid;
	if (peer.uid == 0 || peer.uid == geteuid() || shm_tables_is_member(peer.uid))
		return true;
	return group != (gid_t)-1 && (peer.gid == group || peer_is_in(fd, group));
}
