/* Faults inside one process, switched live: a wall clock that is wrong and a disk that fails.
 *
 *     cc -O2 -Wall -Wextra -shared -fPIC -o shim.so shim.c -ldl
 *     LD_PRELOAD=…/shim.so CRONCLAVE_SHIM=…/control program
 *
 * Rules:
 * 1. All faults come from the control file (struct control, 4096 bytes, written by shim.py), which is mapped once
 *    and read at every call. Children inherit both variables, so a fault holds for the whole process tree.
 * 2. Only CLOCK_REALTIME moves. Monotonic clocks, sleeps and timeouts stay true: a wrong wall clock is what a
 *    bad time server makes; a wrong monotonic clock is no fault that a machine has.
 * 3. A disk fault strikes regular files whose path starts with `prefix`, after `pass` calls that it lets go.
 *    A program that finds its disk broken sees it in the return value alone, as from the kernel.
 * 4. With `trace`, what reaches such files is also written down, in the order in which it was done: enough to build
 *    what a disk holds after a loss of power at any moment.
 * 5. No control file, no faults, and a word on stderr: whoever injects looks at `faults` to see one strike.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MAGIC 0x464e5243u /* "CRNF" */
#define VERSION 1u
#define CONTROL_BYTES 4096

struct control {
  uint32_t magic, version;
  int64_t skew_ns;       /* added to the wall clock */
  int32_t sync_errno;    /* fsync and fdatasync fail with it */
  int32_t sync_delay_ms; /* they take this much longer */
  int32_t write_errno;   /* write, pwrite and ftruncate fail with it */
  int32_t short_bytes;   /* a write of more takes only so many bytes and says so; 0: off */
  int32_t tear;          /* 1: a write of more than tear_bytes takes those, then the process is killed */
  int32_t tear_bytes;
  int32_t pass;          /* so many calls that a disk fault would strike go through before */
  int32_t trace;         /* 1: write down what reaches the files */
  uint64_t faults;       /* how often one struck */
  char reserved[64];
  char prefix[1024];
  char trace_path[1024];
};

static volatile struct control *control;
static int trace_fd = -1;

#define REAL(name)                                          \
  static __typeof__(&name) real;                            \
  if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void start(void) {
  const char *path = getenv("CRONCLAVE_SHIM");
  struct stat status;
  if (!path) return;
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &status) || status.st_size < CONTROL_BYTES) {
    dprintf(2, "fault shim: no faults: %s is no control file\n", path);
    if (fd >= 0) close(fd);
    return;
  }
  void *mapped = mmap(NULL, CONTROL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped == MAP_FAILED) return;
  volatile struct control *found = mapped;
  if (found->magic != MAGIC || found->version != VERSION) {
    dprintf(2, "fault shim: no faults: %s is of another version\n", path);
    return;
  }
  control = found;
}

/* ---- the wall clock */

int clock_gettime(clockid_t clock, struct timespec *now) {
  REAL(clock_gettime);
  int result = real(clock, now);
  if (result == 0 && control && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    int64_t ns = now->tv_sec * 1000000000LL + now->tv_nsec + control->skew_ns;
    now->tv_sec = ns / 1000000000LL;
    now->tv_nsec = ns % 1000000000LL;
  }
  return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec precise;
  (void)zone; /* obsolete, and ignored by the kernel as well */
  int result = clock_gettime(CLOCK_REALTIME, &precise);
  if (result == 0) {
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
  }
  return result;
}

time_t time(time_t *out) {
  struct timespec precise;
  if (clock_gettime(CLOCK_REALTIME, &precise)) return (time_t)-1;
  if (out) *out = precise.tv_sec;
  return precise.tv_sec;
}

/* ---- which files */

static int has_prefix(const char *path) {
  size_t length = strnlen((const char *)control->prefix, sizeof control->prefix);
  return length > 0 && strncmp(path, (const char *)control->prefix, length) == 0;
}

/* 1 and the path of a regular file that faults may strike. */
static int watched(int fd, char *path, size_t size) {
  struct stat status;
  char link[40];
  if (fstat(fd, &status) || !S_ISREG(status.st_mode)) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, size - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return has_prefix(path);
}

/* Whether a fault strikes now: 0 while `pass` lets calls go. */
static int strikes(void) {
  if (control->pass > 0 && __sync_fetch_and_sub(&control->pass, 1) > 0) return 0;
  __sync_fetch_and_add(&control->faults, 1);
  return 1;
}

/* ---- the trace: one record a call, in one append
 *   operation u8 ('w' write, 't' truncate, 's' sync, 'd' sync of a directory, 'r' rename, 'u' unlink),
 *   path length u32, offset or size u64, data length u64, path, data (of a rename: the new path) */

struct __attribute__((packed)) record {
  uint8_t operation;
  uint32_t path_bytes;
  uint64_t offset;
  uint64_t data_bytes;
};

static void trace(char operation, const char *path, uint64_t offset, const void *data, size_t bytes) {
  static ssize_t (*real_writev)(int, const struct iovec *, int);
  int kept = errno;
  if (!real_writev) real_writev = (ssize_t(*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "writev");
  if (trace_fd < 0)
    trace_fd = open((const char *)control->trace_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  struct record head = {(uint8_t)operation, (uint32_t)strlen(path), offset, bytes};
  struct iovec parts[3] = {
      {&head, sizeof head}, {(void *)path, head.path_bytes}, {(void *)data, bytes}};
  ssize_t whole = (ssize_t)(sizeof head + head.path_bytes + bytes);
  if (trace_fd < 0 || real_writev(trace_fd, parts, 3) != whole) {
    dprintf(2, "fault shim: the trace %s cannot be written\n", (const char *)control->trace_path);
    _exit(99); /* a trace with a hole would prove nothing */
  }
  errno = kept;
}

static int traces(int fd, char *path, size_t size) {
  return control && control->trace && watched(fd, path, size);
}

/* ---- syncing */

static int broken_sync(int fd) {
  char path[4096];
  if (!control || !(control->sync_errno || control->sync_delay_ms) || !watched(fd, path, sizeof path))
    return 0;
  if (!strikes()) return 0;
  if (control->sync_delay_ms > 0) {
    struct timespec delay = {control->sync_delay_ms / 1000, control->sync_delay_ms % 1000 * 1000000L};
    nanosleep(&delay, NULL);
  }
  if (!control->sync_errno) return 0;
  errno = control->sync_errno;
  return 1;
}

static void trace_sync(int fd) {
  char path[4096], link[40];
  struct stat status;
  if (!control || !control->trace) return;
  if (watched(fd, path, sizeof path)) {
    trace('s', path, 0, NULL, 0);
  } else if (!fstat(fd, &status) && S_ISDIR(status.st_mode)) {
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return;
    path[length] = 0;
    if (has_prefix(path)) trace('d', path, 0, NULL, 0);
  }
}

int fsync(int fd) {
  REAL(fsync);
  if (broken_sync(fd)) return -1;
  int result = real(fd);
  if (result == 0) trace_sync(fd);
  return result;
}

int fdatasync(int fd) {
  REAL(fdatasync);
  if (broken_sync(fd)) return -1;
  int result = real(fd);
  if (result == 0) trace_sync(fd);
  return result;
}

/* ---- writing */

enum verdict { WHOLE, FAILS, SHORT, TORN };

/* What becomes of a write; `bytes` is cut to what the disk takes. */
static enum verdict judge_write(int fd, size_t *bytes) {
  char path[4096];
  if (!control || !(control->write_errno || control->short_bytes > 0 || control->tear)) return WHOLE;
  if (!watched(fd, path, sizeof path)) return WHOLE;
  if (control->write_errno) {
    if (!strikes()) return WHOLE;
    errno = control->write_errno;
    return FAILS;
  }
  if (control->tear && *bytes > (size_t)control->tear_bytes) {
    if (!strikes()) return WHOLE;
    *bytes = (size_t)control->tear_bytes;
    return TORN;
  }
  if (control->short_bytes > 0 && *bytes > (size_t)control->short_bytes) {
    if (!strikes()) return WHOLE;
    *bytes = (size_t)control->short_bytes;
    return SHORT;
  }
  return WHOLE;
}

static ssize_t written(int fd, enum verdict verdict, ssize_t result, const void *data, int64_t offset) {
  char path[4096];
  if (result > 0 && traces(fd, path, sizeof path)) {
    if (offset < 0) offset = lseek(fd, 0, SEEK_CUR) - result; /* of an appending descriptor too */
    trace('w', path, (uint64_t)offset, data, (size_t)result);
  }
  if (verdict == TORN) {
    kill(getpid(), SIGKILL);
    pause();
  }
  return result;
}

ssize_t write(int fd, const void *data, size_t bytes) {
  REAL(write);
  enum verdict verdict = judge_write(fd, &bytes);
  return verdict == FAILS ? -1 : written(fd, verdict, real(fd, data, bytes), data, -1);
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset) {
  REAL(pwrite);
  enum verdict verdict = judge_write(fd, &bytes);
  return verdict == FAILS ? -1 : written(fd, verdict, real(fd, data, bytes, offset), data, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t bytes, off64_t offset) {
  REAL(pwrite64);
  enum verdict verdict = judge_write(fd, &bytes);
  return verdict == FAILS ? -1 : written(fd, verdict, real(fd, data, bytes, offset), data, offset);
}

static int broken_truncate(int fd) {
  char path[4096];
  if (!control || !control->write_errno || !watched(fd, path, sizeof path) || !strikes()) return 0;
  errno = control->write_errno;
  return 1;
}

static int truncated(int fd, int result, int64_t size) {
  char path[4096];
  if (result == 0 && traces(fd, path, sizeof path)) trace('t', path, (uint64_t)size, NULL, 0);
  return result;
}

int ftruncate(int fd, off_t size) {
  REAL(ftruncate);
  return broken_truncate(fd) ? -1 : truncated(fd, real(fd, size), size);
}

int ftruncate64(int fd, off64_t size) {
  REAL(ftruncate64);
  return broken_truncate(fd) ? -1 : truncated(fd, real(fd, size), size);
}

/* ---- names: only written down. An absolute path is what the product uses. */

int rename(const char *from, const char *to) {
  REAL(rename);
  int result = real(from, to);
  if (result == 0 && control && control->trace && (has_prefix(from) || has_prefix(to)))
    trace('r', from, 0, to, strlen(to));
  return result;
}

int unlink(const char *path) {
  REAL(unlink);
  int result = real(path);
  if (result == 0 && control && control->trace && has_prefix(path)) trace('u', path, 0, NULL, 0);
  return result;
}

static void trace_open(int fd, int flags) {
  char path[4096];
  if (fd >= 0 && flags & O_TRUNC && traces(fd, path, sizeof path)) trace('t', path, 0, NULL, 0);
}

#define MODE(flags)                              \
  mode_t mode = 0;                               \
  if ((flags) & (O_CREAT | __O_TMPFILE)) {       \
    va_list arguments;                           \
    va_start(arguments, flags);                  \
    mode = (mode_t)va_arg(arguments, int);       \
    va_end(arguments);                           \
  }

int open(const char *path, int flags, ...) {
  REAL(open);
  MODE(flags)
  int fd = real(path, flags, mode);
  trace_open(fd, flags);
  return fd;
}

int open64(const char *path, int flags, ...) {
  REAL(open64);
  MODE(flags)
  int fd = real(path, flags, mode);
  trace_open(fd, flags);
  return fd;
}
