// Boost.Asio is compiled once, here (BOOST_ASIO_SEPARATE_COMPILATION). Only the control thread uses it.
#include <boost/asio/impl/src.hpp>
