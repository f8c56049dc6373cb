// Objects that are expensive to make, lent to one thread at a time and kept for the next.
#pragma once
#include <memory>
#include <mutex>
#include <vector>

namespace swiftreid {

template <class T>
class Loan {
public:
    Loan() {
        {
            const std::lock_guard<std::mutex> lock(shelf().guard);
            if (!shelf().idle.empty()) {
                object_ = std::move(shelf().idle.back());
                shelf().idle.pop_back();
            }
        }
        if (!object_) object_ = std::make_unique<T>();
    }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    ~Loan() {
        const std::lock_guard<std::mutex> lock(shelf().guard);
        if (shelf().idle.size() < kMostIdle) shelf().idle.push_back(std::move(object_));
    }
    T* operator->() const { return object_.get(); }
    T& operator*() const { return *object_; }

private:
    static constexpr std::size_t kMostIdle = 64;
    struct Shelf {
        Shelf() { idle.reserve(kMostIdle); }  // so that giving back cannot fail
        std::mutex guard;
        std::vector<std::unique_ptr<T>> idle;
    };
    // Never destroyed: a thread may still search while the interpreter shuts down.
    static Shelf& shelf() {
        static Shelf* only = new Shelf;
        return *only;
    }
    std::unique_ptr<T> object_;
};

}  // namespace swiftreid
