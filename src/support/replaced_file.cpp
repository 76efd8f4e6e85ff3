// SPDX-License-Identifier: Apache-2.0
#include "support/replaced_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "sconce/error.h"

namespace sconce {

namespace {

constexpr size_t kBuffer = 1 << 20;

// While it lives, a write beyond the limit of a file's size is an error and no signal that ends the
// process.
class NoSizeSignal {
 public:
  NoSizeSignal() {
    sigemptyset(&signal_);
    sigaddset(&signal_, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &signal_, &before_);
  }
  ~NoSizeSignal() {
    const int error = errno;
    const struct timespec now { 0, 0 };
    if (!sigismember(&before_, SIGXFSZ)) {
      while (sigtimedwait(&signal_, nullptr, &now) > 0) {
      }
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = error;
  }

 private:
  sigset_t signal_, before_;
};

std::string without_links(const std::string& path) {
  char* real = ::realpath(path.c_str(), nullptr);
  if (!real) return path;
  std::string r = real;
  std::free(real);
  return r;
}

}  // namespace

ReplacedFile::ReplacedFile(const std::string& path) : path_(path), target_(without_links(path)) {
  struct stat old;
  const bool exists = ::stat(target_.c_str(), &old) == 0;
  if (exists && !S_ISREG(old.st_mode)) {
    if (S_ISDIR(old.st_mode)) raise<Error>("cannot write ", path_, ": a directory");
    replaces_ = false;
    fd_ = ::open(target_.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd_ < 0) fail();
    return;
  }
  static std::atomic<unsigned> count{0};
  for (int attempt = 0; attempt < 100; ++attempt) {
    written_ = target_ + ".part" + std::to_string(::getpid()) + "-" + std::to_string(count++);
    fd_ = ::open(written_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd_ >= 0 || errno != EEXIST) break;
  }
  if (fd_ < 0) {
    written_.clear();
    fail();
  }
  if (exists) (void)!::fchmod(fd_, old.st_mode & 07777);
}

ReplacedFile::~ReplacedFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!written_.empty()) ::unlink(written_.c_str());
}

void ReplacedFile::fail() const {
  raise<Error>("cannot write ", path_, ": ", std::strerror(errno));
}

void ReplacedFile::write(const void* data, size_t size) {
  const char* p = static_cast<const char*>(data);
  if (size < kBuffer) {
    buffer_.append(p, size);
    if (buffer_.size() >= kBuffer) drain();
    return;
  }
  drain();
  NoSizeSignal guard;
  while (size) {
    const ssize_t n = ::write(fd_, p, size < SSIZE_MAX ? size : SSIZE_MAX);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail();
    p += n;
    size -= static_cast<size_t>(n);
  }
}

void ReplacedFile::drain() {
  NoSizeSignal guard;
  const char* p = buffer_.data();
  for (size_t left = buffer_.size(); left;) {
    const ssize_t n = ::write(fd_, p, left);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail();
    p += n;
    left -= static_cast<size_t>(n);
  }
  buffer_.clear();
}

void ReplacedFile::commit() {
  drain();
  if (!replaces_) {
    const int fd = fd_;
    fd_ = -1;
    if (::close(fd) != 0) fail();
    return;
  }
  if (::fsync(fd_) != 0) fail();
  const int fd = fd_;
  fd_ = -1;
  if (::close(fd) != 0) fail();
  if (::rename(written_.c_str(), target_.c_str()) != 0) fail();
  written_.clear();
  // The folder's entry too. A file system that can't do that has done what it can.
  const size_t slash = target_.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : target_.substr(0, slash + 1);
  const int dir = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir >= 0) {
    (void)!::fsync(dir);
    ::close(dir);
  }
}

}  // namespace sconce
