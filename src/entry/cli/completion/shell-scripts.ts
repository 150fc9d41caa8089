/** A shell that can complete. */
export type Shell = 'bash' | 'zsh' | 'fish'

/** The word with which a script asks for completions: `bellis __complete smooth --mode re`. */
export const COMPLETE = '__complete'

// Each script calls the command with the words up to the cursor, and gets one candidate per line, with its description behind a
// tab. The line `:files` asks for the names of files as well. Standard input is what the user types next, so it is kept away.

const bash = `# Completion of bellis for bash: source <(bellis completion bash)
_bellis() {
  local line files=''
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then files=1; else COMPREPLY+=("\${line%%$'\\t'*}"); fi
  done < <("$1" ${COMPLETE} "\${COMP_WORDS[@]:1:COMP_CWORD}" </dev/null 2>/dev/null)
  # Without candidates, bash completes file names itself, with its own quoting.
  [[ -n $files ]] || compopt +o default +o bashdefault 2>/dev/null
  return 0
}
complete -o bashdefault -o default -F _bellis bellis
`

const zsh = `#compdef bellis
# Completion of bellis for zsh, after compinit: source <(bellis completion zsh)
_bellis() {
  local line files=''
  local -a candidates
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      files=1
    else
      line=\${line//:/\\\\:}
      candidates+=("\${line/$'\\t'/:}")
    fi
  done < <("\${(Q)words[1]}" ${COMPLETE} "\${(@Q)words[2,CURRENT]}" </dev/null 2>/dev/null)
  (( \${#candidates} )) && _describe bellis candidates && return
  if [[ -n $files ]]; then
    compset -P '--*='
    _files
  fi
}
if [[ \${funcstack[1]} == _bellis ]]; then _bellis "$@"; else compdef _bellis bellis; fi
`

const fish = `# Completion of bellis for fish: bellis completion fish > ~/.config/fish/completions/bellis.fish
function __bellis_complete
  set -l before (commandline -opc)
  set -l current (commandline -ct)
  set -l files
  for line in ($before[1] ${COMPLETE} $before[2..-1] $current </dev/null 2>/dev/null)
    if test "$line" = :files
      set files 1
    else
      echo $line
    end
  end
  if set -q files[1]
    # --config=na → --config= and na
    set -l flag (string match -r -- '^--[^=]*=' $current)
    for path in (__fish_complete_path (string replace -r -- '^--[^=]*=' '' $current))
      echo "$flag"$path
    end
  end
end
complete -c bellis -f -a '(__bellis_complete)'
`

/** The script of each shell. */
export const SCRIPTS: Readonly<Record<Shell, string>> = { bash, zsh, fish }
