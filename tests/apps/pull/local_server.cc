#include "tests/apps/pull/local_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cctype>
#include <span>
#include <sstream>
#include <utility>

#include "apps/pull/sha256.h"

namespace rocforge::testing {
namespace {

// Everything up to the empty line; "" if the client goes away first.
std::string ReadHead(int fd) {
  std::string head;
  char c = 0;
  while (!head.ends_with("\r\n\r\n")) {
    if (::recv(fd, &c, 1, 0) != 1) return "";
    head += c;
  }
  return head;
}

ServedRequest ParseHead(const std::string& head) {
  ServedRequest request;
  std::istringstream lines(head);
  lines >> request.method >> request.target;
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line) && line.size() > 1) {
    const size_t colon = line.find(':');
    std::string name = line.substr(0, colon);
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    std::string value = line.substr(colon + 2);
    if (value.ends_with('\r')) value.pop_back();
    request.headers[name] = value;
  }
  return request;
}

}  // namespace

std::string ServedRequest::Header(const std::string& name) const {
  const auto at = headers.find(name);
  return at == headers.end() ? "" : at->second;
}

void LocalServer::Connection::Send(const std::string& bytes) {
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t n = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return;  // the client has hung up
    sent += static_cast<size_t>(n);
  }
}

void LocalServer::Connection::Respond(int status, const std::vector<std::string>& headers,
                                      const std::string& body) {
  std::string head = "HTTP/1.1 " + std::to_string(status) + " x\r\nConnection: close\r\n";
  for (const std::string& header : headers) head += header + "\r\n";
  Send(head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
}

void LocalServer::Connection::Stall() {
  char c = 0;
  while (!stop_->load()) {
    pollfd wait{fd_, POLLIN, 0};
    if (::poll(&wait, 1, 20) > 0 && ::recv(fd_, &c, 1, 0) <= 0) return;
  }
}

LocalServer::LocalServer(Handler handler) : handler_(std::move(handler)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (listener_ < 0 || ::bind(listener_, generic, length) != 0 || ::listen(listener_, 8) != 0 ||
      ::getsockname(listener_, generic, &length) != 0) {
    ADD_FAILURE() << "cannot listen on the loopback interface";
    return;
  }
  url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  thread_ = std::thread([this] { Serve(); });
}

LocalServer::~LocalServer() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  ::close(listener_);
}

std::vector<ServedRequest> LocalServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void LocalServer::Serve() {
  while (!stop_.load()) {
    pollfd wait{listener_, POLLIN, 0};
    if (::poll(&wait, 1, 10) <= 0) continue;
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    if (const std::string head = ReadHead(fd); !head.empty()) {
      const ServedRequest request = ParseHead(head);
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
      }
      Connection connection(fd, &stop_);
      handler_(request, connection);
    }
    ::close(fd);
  }
}

std::string HashOf(const std::string& text) {
  apps::Sha256 hash;
  hash.Update(std::as_bytes(std::span(text.data(), text.size())));
  return hash.Finish();
}

}  // namespace rocforge::testing
