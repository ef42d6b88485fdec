# Every source is laid out as .clang-format says. Skipped without clang-format 14: other versions break lines elsewhere.
set -eu
cd "$(dirname "$0")/../.."
case $(clang-format --version 2>/dev/null) in
  *'version 14.'*) ;;
  *) echo "skipped: clang-format 14 is not installed"; exit 77 ;;
esac
find engine ops dsl models train cli tests bench examples -name '*.h' -o -name '*.cpp' |
  xargs clang-format --dry-run --Werror
