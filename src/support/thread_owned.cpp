// SPDX-License-Identifier: Apache-2.0
#include "support/thread_owned.h"

#include <pthread.h>

#include <mutex>
#include <new>
#include <vector>

#include "support/lasting.h"

namespace sconce {

namespace {

struct Thing {
  void* p;
  void (*destroy)(void*);
};
using Things = std::vector<Thing>;
void destroy_all(const Things& things) {
  for (size_t i = things.size(); i-- > 0;) things[i].destroy(things[i].p);
}

// Of all threads that have some. The key's own destructor runs at the end of a thread; once the
// library is unloaded there is no key.
class Owners {
 public:
  Owners() : usable_(pthread_key_create(&key_, [](void* v) { owners().ended(v); }) == 0) {}
  // At the end of a process, threads that still run may be in the middle of something.
  ~Owners() {
    if (!usable_ || living_modules.load(std::memory_order_relaxed)) return;
    pthread_key_delete(key_);
    std::lock_guard<std::mutex> lock(mutex_);
    for (Things* t : all_) {
      destroy_all(*t);
      delete t;
    }
  }
  static Owners& owners() {
    static Owners made;
    return made;
  }
  void add(Thing thing) {
    if (!usable_) return;
    auto* mine = static_cast<Things*>(pthread_getspecific(key_));
    if (!mine) {
      mine = new Things;
      std::lock_guard<std::mutex> lock(mutex_);
      all_.push_back(mine);
      pthread_setspecific(key_, mine);
    }
    mine->push_back(thing);
  }

 private:
  void ended(void* v) {
    auto* mine = static_cast<Things*>(v);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      for (Things*& t : all_)
        if (t == mine) {
          t = all_.back();
          all_.pop_back();
          break;
        }
    }
    destroy_all(*mine);
    delete mine;
  }
  pthread_key_t key_;
  const bool usable_;
  std::mutex mutex_;
  std::vector<Things*> all_;
};

}  // namespace

void* thread_owned(void* p, void (*destroy)(void*)) {
  Owners::owners().add({p, destroy});
  return p;
}

}  // namespace sconce
