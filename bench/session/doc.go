// Command session measures what the replication of HTTP sessions costs, and what gets
// lost: this module beside Tomcat's DeltaManager and alexedwards/scs with Redis. Each
// node is a process of its own and speaks one contract over HTTP; see package web.
//
// The peers are brought by peers/install. Columns whose programs are not there are
// left out, and the output says so.
package main
