#include "server/cmd/admin_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/config.h"
#include "server/option.h"
#include "store/base/clock.h"
#include "store/base/log.h"
#include "store/key.h"
#include "store/keyring.h"
#include "store/writer_wait.h"

#define PATH_BYTES 4096

static enum err add(struct store *store, const char *secret, struct why *why)
{
	struct audit audit = { .operation = id_new(),
		.actor = "serve",
		.action = "key.create",
		.detail = "{\"label\":\"admin\",\"owner\":\"admin\","
			  "\"scopes\":\"run,read,admin\"}" };
	struct writer_waiting w = { .write = { .kind = WRITE_KEY_ADD,
					.audit = &audit } };
	struct key *k = &w.write.u.key_add;
	enum err err;

	k->id = id_new();
	snprintf(k->label, sizeof(k->label), "admin");
	snprintf(k->owner, sizeof(k->owner), "admin");
	k->scopes = KEY_RUN | KEY_READ | KEY_ADMIN;
	k->created_ms = clock_wall_ms();
	key_secret_set(k, secret);
	id_text(&k->id, audit.subject);
	err = writer_wait(store, &w);
	if (err)
		err_why(why, "the admin key cannot be stored: %s",
		    w.write.why.text[0] ? w.write.why.text : err_name(err));
	return err;
}

/* The key with that secret, whether it still opens anything or not. */
static const struct key *find(
    const struct key *keys, size_t n, const char *secret)
{
	struct key wanted;

	key_secret_set(&wanted, secret);
	for (size_t i = 0; i < n; i++)
		if (digest_equal(keys[i].hash, wanted.hash, DIGEST_BYTES))
			return &keys[i];
	return NULL;
}

static enum err ensure_preset(struct store *store, const struct key *keys,
    size_t n, const char *secret, struct why *why)
{
	const struct key *k = find(keys, n, secret);

	if (!k)
		return add(store, secret, why);
	if (k->revoked_ms)
		log_warn("serve", "admin key revoked",
		    "detail=the preset admin key was revoked and opens "
		    "nothing: preset another");
	else if (k->expires_ms && k->expires_ms <= clock_wall_ms())
		log_warn("serve", "admin key expired",
		    "detail=the preset admin key has expired and opens "
		    "nothing: preset another");
	else if (!(k->scopes & KEY_ADMIN))
		log_warn("serve", "admin key too weak",
		    "detail=the preset admin key is there as a key without "
		    "the scope admin");
	return OK;
}

static void beside(const char *db, char *dst, size_t room)
{
	const char *slash = strrchr(db, '/');

	snprintf(
	    dst, room, "%.*sadmin.key", slash ? (int)(slash - db + 1) : 0, db);
}

static enum err write_all(
    int fd, const char *secret, const char *path, struct why *why)
{
	char line[KEY_SECRET_TEXT + 1];
	int len = snprintf(line, sizeof(line), "%s\n", secret);
	bool written = write(fd, line, (size_t)len) == len && fsync(fd) == 0;

	digest_wipe(line, sizeof(line));
	if (written)
		return OK;
	err_why(why, "cannot write %s: %s", path, strerror(errno));
	unlink(path);
	return ERR_IO;
}

/* An admin.key that somebody put there, or that a crash left, is taken. */
static enum err take_file(
    struct store *store, const char *path, struct why *why)
{
	char *secret = NULL;
	struct stat st;
	enum err err;

	if (stat(path, &st) == 0 && (st.st_mode & 077)) {
		err_why(why,
		    "%s can be read by others, so it cannot be the admin key: "
		    "remove it, or chmod 600",
		    path);
		return ERR_INPUT;
	}
	/* Beside a store in /tmp anybody may have left one. */
	if (lstat(path, &st) == 0 &&
	    (st.st_uid != geteuid() || !S_ISREG(st.st_mode))) {
		err_why(why,
		    "%s is not your own file, so it cannot be the admin key: "
		    "remove it",
		    path);
		return ERR_INPUT;
	}
	err = option_read_secret(path, &secret, why);
	if (err)
		return err;
	if (strlen(secret) < CONFIG_MIN_ADMIN_KEY) {
		err_why(
		    why, "%s is too short for an admin key: remove it", path);
		err = ERR_INPUT;
	} else {
		err = add(store, secret, why);
	}
	digest_wipe(secret, strlen(secret));
	free(secret);
	if (!err)
		log_info("serve", "admin key taken", "path=%s", path);
	return err;
}

/* The file comes first: a key that nobody has seen would lock everybody out. */
static enum err make_in_file(
    struct store *store, const char *secret, const char *db, struct why *why)
{
	char path[PATH_BYTES];
	enum err err;
	int fd;

	beside(db, path, sizeof(path));
	fd = open(
	    path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 && errno == EEXIST)
		return take_file(store, path, why);
	if (fd < 0) {
		err_why(why,
		    "cannot write the first admin key to %s: %s; set "
		    "SPOOL_ADMIN_KEY instead",
		    path, strerror(errno));
		return ERR_IO;
	}
	err = write_all(fd, secret, path, why);
	close(fd);
	if (!err)
		err = add(store, secret, why);
	if (!err)
		log_info("serve", "admin key made", "path=%s", path);
	return err;
}

static enum err make(struct store *store, const char *db, struct why *why)
{
	char secret[KEY_SECRET_TEXT];
	enum err err;

	key_secret_new(secret);
	if (isatty(STDOUT_FILENO)) {
		err = add(store, secret, why);
		if (!err)
			printf("The admin key, shown this once:\n\n"
			       "    export SPOOL_KEY=%s\n\n",
			    secret);
		fflush(stdout);
	} else {
		err = make_in_file(store, secret, db, why);
	}
	digest_wipe(secret, sizeof(secret));
	return err;
}

enum err admin_key_ensure(
    struct store *store, const char *preset, const char *db, struct why *why)
{
	struct key *keys = NULL;
	size_t n = 0;
	enum err err;

	err = keyring_list(store, NULL, &keys, &n);
	if (err)
		return err;
	if (preset)
		err = ensure_preset(store, keys, n, preset, why);
	else if (n == 0)
		err = make(store, db, why);
	free(keys);
	return err;
}
