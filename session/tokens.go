package session

import (
	"crypto/subtle"
	"errors"
	"slices"
)

// Tokens are one-time tokens that keep a form from being submitted twice, by a second click
// or by a browser that sends it again. They are kept in an attribute of this name.
//
//	var order = session.Tokens("order")
//
//	token, err := order.New(s)          // <input type="hidden" name="token" value="{{.Token}}">
//	...
//	ok, err := order.Use(s, r.PostFormValue("token"))
//	if !ok {
//		// submitted already, or not our form
//	}
//
// Of the forms that are open the newest 16 have a valid token, so a user can have several
// windows. Since a token is in the session and in the form alone, a valid one also says that
// the form was not sent by a page of somebody else.
//
// On one node exactly one of several requests with the same token gets true. Two nodes that
// get it at the same time can both say true: keep clients on one node, or put what must
// happen once under a unique key of a database.
type Tokens string

// maxTokens is how many tokens of a name are valid at a time.
const maxTokens = 16

// errNoToken leaves an attribute as it is.
var errNoToken = errors.New("no such token")

// New returns a new token: 24 characters that need no quoting in HTML. It makes a session if
// there is none. The errors are those of [Update].
func (t Tokens) New(s *Session) (string, error) {
	token := string(newID(""))
	err := Update(s, string(t), func(all *[]string) error {
		*all = append(slices.Clone(*all), token) // with LocalOnly other requests have the same slice
		*all = slices.Delete(*all, 0, max(len(*all)-maxTokens, 0))
		return nil
	})
	if err != nil {
		return "", err
	}
	return token, nil
}

// Use reports whether a token is valid, and makes it invalid. It makes no session. How long
// it takes says nothing about the tokens that there are. With an error, which is one of
// [Update], it is false.
func (t Tokens) Use(s *Session, token string) (bool, error) {
	err := Update(s, string(t), func(all *[]string) error {
		found := -1
		for i, valid := range *all {
			if subtle.ConstantTimeCompare([]byte(valid), []byte(token)) == 1 {
				found = i
			}
		}
		if found < 0 {
			return errNoToken
		}
		*all = slices.Delete(slices.Clone(*all), found, found+1)
		return nil
	})
	if errors.Is(err, errNoToken) {
		return false, nil
	}
	return err == nil, err
}
