package member

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/settings"
	"github.com/gotribes/tribes/membership/static"
)

// Part is one part of a member with its configuration: the effective one, or,
// if Raw, one in which zero stands for a default.
type Part struct {
	Name   string
	Config any
	Raw    bool
}

// Parts are the parts that the settings come to, with every default filled in.
func Parts(s *settings.Settings) ([]Part, error) {
	var errs []error
	var parts []Part
	add := func(name string, config any, err error) {
		parts, errs = append(parts, Part{Name: name, Config: config}), append(errs, err)
	}
	receiver, err := receiverConfig(s).WithDefaults()
	add("receiver", receiver, err)
	sender, err := senderConfig(s).WithDefaults()
	add("sender", sender, err)
	if s.Mcast {
		m, err := Multicast(s).WithDefaults()
		add("mcast", m, err)
	}
	if len(s.Static) > 0 {
		var c static.Config
		c, err = staticConfig(s).WithDefaults()
		add("static", c, err)
	}
	for _, layer := range layers(s) {
		parts = append(parts, Part{Name: layerName(layer), Config: layer, Raw: true})
	}
	return parts, errors.Join(errs...)
}

// layerName is the type of a layer without its package.
func layerName(layer channel.Interceptor) string {
	name := fmt.Sprintf("%T", layer)
	return name[strings.LastIndexByte(name, '.')+1:]
}
