package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// Every package and everything exported, methods of interfaces included, has a
// doc comment.
func TestEverythingExportedIsDocumented(t *testing.T) {
	packages := make(map[string]bool) // by directory: whether it has a comment
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() != ".." && strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		dir := filepath.Dir(name)
		packages[dir] = packages[dir] || f.Doc != nil
		for _, bare := range undocumented(f) {
			t.Errorf("%s: %s has no doc comment", set.Position(bare.Pos()), bare.Name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) < 20 {
		t.Errorf("found %d packages only", len(packages))
	}
	for dir, ok := range packages {
		if !ok {
			t.Errorf("package %s has no comment", dir)
		}
	}
}

// undocumented lists what a file exports without a comment.
func undocumented(f *ast.File) (bare []*ast.Ident) {
	check := func(id *ast.Ident, docs ...*ast.CommentGroup) {
		for _, d := range docs {
			if d != nil {
				return
			}
		}
		if id.IsExported() {
			bare = append(bare, id)
		}
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || receiver(d.Recv.List[0].Type).IsExported() {
				check(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					check(s.Name, d.Doc, s.Doc, s.Comment)
					for _, m := range methods(s) {
						check(m.Names[0], m.Doc, m.Comment)
					}
				case *ast.ValueSpec:
					for _, id := range s.Names {
						check(id, d.Doc, s.Doc, s.Comment)
					}
				}
			}
		}
	}
	return bare
}

// receiver is the name of the type that a method belongs to.
func receiver(x ast.Expr) *ast.Ident {
	switch x := x.(type) {
	case *ast.StarExpr:
		return receiver(x.X)
	case *ast.IndexExpr:
		return receiver(x.X)
	case *ast.Ident:
		return x
	}
	return new(ast.Ident)
}

// methods are those that an exported interface names itself.
func methods(s *ast.TypeSpec) (named []*ast.Field) {
	i, ok := s.Type.(*ast.InterfaceType)
	if !ok || !s.Name.IsExported() {
		return nil
	}
	for _, m := range i.Methods.List {
		if len(m.Names) > 0 {
			named = append(named, m)
		}
	}
	return named
}
