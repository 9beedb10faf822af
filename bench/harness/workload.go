package harness

import (
	"fmt"
	"strconv"
	"strings"
)

// cell is one measurement: a workload with its parameters.
type cell struct {
	Workload string `json:"workload"`
	Kind     Kind   `json:"kind"`
	Size     int    `json:"size"`
	Callers  int    `json:"callers"`
	Dests    int    `json:"dests"`
}

func (c cell) String() string {
	return fmt.Sprintf("%s %s, %s, %d callers, %d destinations", c.Workload, c.Kind, sizeText(c.Size), c.Callers, c.Dests)
}

func sizeText(n int) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}

// plan lists the cells of the workloads.
//
// W1: one caller to one receiver, no ack; a unit is a message that the receiving
// application looked at. W2: acked after processing, in a closed loop; a unit is
// a call that returned with every ack.
func plan(workloads, sizes, callers, dests []int) []cell {
	var all []cell
	for _, w := range workloads {
		for _, size := range sizes {
			if w == 1 {
				all = append(all, cell{"W1", NoAck, size, 1, 1})
				continue
			}
			for _, d := range dests {
				for _, c := range callers {
					all = append(all, cell{"W2", Sync, size, c, d})
				}
			}
		}
	}
	return all
}

// numbers reads a list such as 1,8,64; sizes may end in k or m.
func numbers(list string) ([]int, error) {
	var all []int
	for item := range strings.SplitSeq(list, ",") {
		factor := 1
		digits := strings.TrimSpace(strings.ToLower(item))
		switch {
		case strings.HasSuffix(digits, "k"):
			factor, digits = 1<<10, digits[:len(digits)-1]
		case strings.HasSuffix(digits, "m"):
			factor, digits = 1<<20, digits[:len(digits)-1]
		}
		n, err := strconv.Atoi(digits)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q: want positive numbers, such as 100,1k,1m", list)
		}
		all = append(all, n*factor)
	}
	return all, nil
}
