// Objects that are expensive to make, lent to one thread at a time and kept for the next.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "team.hpp"

namespace swiftreid {

template <class T>
class Loan {
public:
    Loan() {
        {
            Pool& from = pool();
            const std::lock_guard<std::mutex> lock(from.guard);
            if (!from.idle.empty()) {
                object_ = std::move(from.idle.back());
                from.idle.pop_back();
            }
        }
        if (!object_) object_ = std::make_unique<T>();
    }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    ~Loan() {
        Pool& to = pool();
        const std::lock_guard<std::mutex> lock(to.guard);
        if (to.idle.size() < kMostIdle) to.idle.push_back(std::move(object_));
    }
    T* operator->() const { return object_.get(); }
    T& operator*() const { return *object_; }

private:
    static constexpr std::size_t kMostIdle = 64;
    struct Pool {
        Pool() { idle.reserve(kMostIdle); }  // so that giving back cannot fail
        std::mutex guard;
        std::vector<std::unique_ptr<T>> idle;
    };
    // Never destroyed: a thread may still search while the interpreter shuts down. A child process starts with an empty
    // one, because a thread that it does not have may have held the guard.
    static Pool& pool() {
        static std::atomic<Pool*> only{nullptr};
        static const bool watched = after_fork([] { only.store(nullptr); });
        (void)watched;
        Pool* now = only.load();
        if (!now) {
            Pool* made = new Pool;
            if (only.compare_exchange_strong(now, made)) return *made;
            delete made;
        }
        return *now;
    }
    std::unique_ptr<T> object_;
};

}  // namespace swiftreid
