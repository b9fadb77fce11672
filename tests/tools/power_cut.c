/*
 * power_cut DIRECTORY: the ext4 file system there loses its power: what is not
 * on the disk at this moment never gets there, and every later access fails.
 * Only for file systems that a test has made; it refuses the one that holds /.
 *
 * EXT4_IOC_SHUTDOWN with NOLOGFLUSH: the journal is not flushed, so that the
 * disk holds what a disk holds whose plug was pulled (its own cache aside).
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXT4_IOC_SHUTDOWN _IOR('X', 125, uint32_t)
#define NOLOGFLUSH 2

int main(int argc, char **argv)
{
	uint32_t how = NOLOGFLUSH;
	struct stat here, root;
	int fd, rc = 1;

	if (argc != 2) {
		fprintf(stderr, "usage: power_cut DIRECTORY\n");
		return 2;
	}
	fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &here) != 0 || stat("/", &root) != 0) {
		perror(argv[1]);
	} else if (here.st_dev == root.st_dev) {
		fprintf(stderr, "%s: is on the file system of /\n", argv[1]);
	} else if (ioctl(fd, EXT4_IOC_SHUTDOWN, &how) != 0) {
		perror(argv[1]);
	} else {
		rc = 0;
	}
	if (fd >= 0)
		close(fd);
	return rc;
}
