package mcast

// canBatch: Linux reads several datagrams with one call.
const canBatch = true
