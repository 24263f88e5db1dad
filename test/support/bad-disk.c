// A disk that goes bad when it is told to, for one process: what is done to files below BAD_DISK fails, or takes long, as the
// first byte of the file BAD_DISK_MODE says: 0 well, e I/O errors, o read-only, n full, s a second for each sync,
// h nothing comes back until the byte is another one. Preloaded (LD_PRELOAD), it stands before the C library's own functions.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static const volatile char *mode = "0";
static const char *folder;
static char is_ours[65536];

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("BAD_DISK_MODE");
  folder = getenv("BAD_DISK");
  if (path == NULL || folder == NULL) return;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  void *page = mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);
  if (page != MAP_FAILED) mode = page;
  close(fd);
}

static int lies_there(const char *path) {
  size_t length = folder == NULL ? 0 : strlen(folder);
  return length > 0 && strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static int known(int fd) { return fd >= 0 && fd < (int)sizeof is_ours && is_ours[fd]; }

static void hang(void) {
  while (*mode == 'h') usleep(5000);
}

/* The error of a change to what lies there; 0 when it goes through. */
static int refusal(int needs_room) {
  hang();
  if (*mode == 'e') return EIO;
  if (*mode == 'o') return EROFS;
  if (*mode == 'n' && needs_room) return ENOSPC;
  return 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define REFUSE(condition, needs_room) \
  if (condition) { int error = refusal(needs_room); if (error) { errno = error; return -1; } }

static int note(int fd, const char *path) {
  if (fd >= 0 && fd < (int)sizeof is_ours) is_ours[fd] = lies_there(path);
  return fd;
}

static int opens(const char *name, int at, const char *path, int flags, mode_t rights) {
  if (lies_there(path)) {
    int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT);
    if (writes) { REFUSE(1, flags & O_CREAT) }
    else if (*mode == 'e') { errno = EIO; return -1; }
  }
  int (*real)(int, const char *, int, ...) = dlsym(RTLD_NEXT, name);
  return note(real(at, path, flags, rights), path);
}

#define RIGHTS va_list rest; va_start(rest, flags); mode_t rights = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0; va_end(rest)
int open(const char *path, int flags, ...) { RIGHTS; return opens("openat", AT_FDCWD, path, flags, rights); }
int open64(const char *path, int flags, ...) { RIGHTS; return opens("openat64", AT_FDCWD, path, flags, rights); }
int openat(int at, const char *path, int flags, ...) { RIGHTS; return opens("openat", at, path, flags, rights); }
int openat64(int at, const char *path, int flags, ...) { RIGHTS; return opens("openat64", at, path, flags, rights); }
int close(int fd) { if (fd >= 0 && fd < (int)sizeof is_ours) is_ours[fd] = 0; return REAL(close)(fd); }

#undef fwrite_unlocked
#undef fread_unlocked
/* LevelDB writes through stdio, whose own calls cannot be stood before. */
static FILE *opens_stream(const char *name, const char *path, const char *how) {
  if (lies_there(path)) {
    int error = *how == 'r' ? (*mode == 'e' ? EIO : 0) : refusal(1);
    if (error) { errno = error; return NULL; }
  }
  FILE *(*real)(const char *, const char *) = dlsym(RTLD_NEXT, name);
  FILE *stream = real(path, how);
  if (stream != NULL) note(fileno(stream), path);
  return stream;
}

FILE *fopen(const char *path, const char *how) { return opens_stream("fopen", path, how); }
FILE *fopen64(const char *path, const char *how) { return opens_stream("fopen64", path, how); }
int fclose(FILE *stream) { is_ours[fileno(stream) & 65535] = 0; return REAL(fclose)(stream); }
size_t fwrite_unlocked(const void *b, size_t size, size_t n, FILE *stream) {
  int error = known(fileno(stream)) ? refusal(1) : 0;
  if (error) { errno = error; return 0; }
  return REAL(fwrite_unlocked)(b, size, n, stream);
}
size_t fread_unlocked(void *b, size_t size, size_t n, FILE *stream) {
  if (known(fileno(stream)) && *mode == 'e') { errno = EIO; return 0; }
  return REAL(fread_unlocked)(b, size, n, stream);
}
int fflush_unlocked(FILE *stream) { REFUSE(known(fileno(stream)), 1) return REAL(fflush_unlocked)(stream); }

ssize_t write(int fd, const void *b, size_t n) { REFUSE(known(fd), 1) return REAL(write)(fd, b, n); }
ssize_t writev(int fd, const struct iovec *v, int n) { REFUSE(known(fd), 1) return REAL(writev)(fd, v, n); }
ssize_t pwrite(int fd, const void *b, size_t n, off_t at) { REFUSE(known(fd), 1) return REAL(pwrite)(fd, b, n, at); }
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t at) { REFUSE(known(fd), 1) return REAL(pwrite64)(fd, b, n, at); }
ssize_t read(int fd, void *b, size_t n) { if (known(fd) && *mode == 'e') { errno = EIO; return -1; } return REAL(read)(fd, b, n); }
int fsync(int fd) { REFUSE(known(fd), 0) if (known(fd) && *mode == 's') sleep(1); return REAL(fsync)(fd); }
int fdatasync(int fd) { REFUSE(known(fd), 0) if (known(fd) && *mode == 's') sleep(1); return REAL(fdatasync)(fd); }
int ftruncate(int fd, off_t n) { REFUSE(known(fd), 0) return REAL(ftruncate)(fd, n); }
int ftruncate64(int fd, off64_t n) { REFUSE(known(fd), 0) return REAL(ftruncate64)(fd, n); }
int rename(const char *from, const char *to) { REFUSE(lies_there(to), 0) return REAL(rename)(from, to); }
int unlink(const char *path) { REFUSE(lies_there(path), 0) return REAL(unlink)(path); }
int mkdir(const char *path, mode_t rights) {
  struct stat found;
  REFUSE(lies_there(path) && stat(path, &found) != 0, 1)
  return REAL(mkdir)(path, rights);
}
int access(const char *path, int how) {
  if (lies_there(path) && (how & W_OK) && *mode == 'o') { errno = EROFS; return -1; }
  return REAL(access)(path, how);
}
