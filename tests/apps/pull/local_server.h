// A small HTTP server on the loopback interface that misbehaves as a test tells it to.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace rocforge::testing {

struct ServedRequest {
  std::string method;
  std::string target;                          // path and query
  std::map<std::string, std::string> headers;  // names in lower case

  std::string Header(const std::string& lower_case_name) const;
};

class LocalServer {
 public:
  // The client's end of one request. Send writes raw bytes, so a handler can break every rule.
  class Connection {
   public:
    void Send(const std::string& bytes);
    // "HTTP/1.1 <status> x", the headers, "Content-Length" of the body, and the body.
    void Respond(int status, const std::vector<std::string>& headers, const std::string& body);
    // Says nothing until the client hangs up or the server ends.
    void Stall();

   private:
    friend class LocalServer;
    Connection(int fd, const std::atomic<bool>* stop) : fd_(fd), stop_(stop) {}
    int fd_;
    const std::atomic<bool>* stop_;
  };
  using Handler = std::function<void(const ServedRequest&, Connection&)>;

  // Serves one request after the other, each on a connection of its own, in a thread.
  explicit LocalServer(Handler handler);
  ~LocalServer();
  LocalServer(const LocalServer&) = delete;
  LocalServer& operator=(const LocalServer&) = delete;

  // "http://127.0.0.1:PORT"
  const std::string& url() const { return url_; }
  std::vector<ServedRequest> requests() const;

 private:
  void Serve();

  Handler handler_;
  std::string url_;
  int listener_ = -1;
  std::atomic<bool> stop_{false};
  mutable std::mutex mutex_;
  std::vector<ServedRequest> requests_;
  std::thread thread_;
};

// The SHA-256 of a file's content, in hex, as hubs name it.
std::string HashOf(const std::string& text);

}  // namespace rocforge::testing
