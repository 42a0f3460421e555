# What tools/gen-api makes of core/script/api.h for the C compiler and the linker (the Makefile includes this).
GENERATED += $(EXPORTS) $(GEN)/api_rules.h

$(EXPORTS): core/script/api.h tools/gen-api
	@mkdir -p $(@D)
	@tools/gen-api exports $@
$(GEN)/api_rules.h: core/script/api.h tools/gen-api
	@mkdir -p $(@D)
	@tools/gen-api rules $@

# Unit tests of this floor let Lua find the same functions in them.
$(BUILD)/core/script/%_test: LINK_FLAGS += -Wl,--dynamic-list=$(EXPORTS)
$(BUILD)/core/script/%_test: $(EXPORTS)

.PHONY: api
api: ## make the Lua files that follow from core/script/api.h anew
	@tools/gen-api lua
