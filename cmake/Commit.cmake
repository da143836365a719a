# Run at each build: writes OUT, a C++ string literal with the commit that is built, where it has changed.
# "-dirty" is for changes of tracked files that are not committed; "unknown" for sources without git.
execute_process(COMMAND git --no-optional-locks describe --always --abbrev=12 --dirty --exclude=*
  WORKING_DIRECTORY ${SOURCE} OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed)
  set(commit unknown)
endif()
file(CONFIGURE OUTPUT ${OUT} CONTENT "\"${commit}\"\n" @ONLY)
